"""Golden values of the real `peft` for PeftTest, in model/src/test/resources/golden-lora.

    $(jobs/venv model/src/test/python/requirements.txt)/bin/python model/src/test/python/make_lora_golden.py
    …/make_lora_golden.py --check DIRECTORY   open adapters that PeftTest wrote there (model/target/lora) and compare

The base is one of make_golden.py's models. Per case a directory as peft's `save_pretrained` writes it, golden.json (loss)
and golden.safetensors (logits, gradient and value after a step of AdamW of everything trained, under the file's names).
"""
import json
import pathlib
import sys

import numpy
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

RESOURCES = pathlib.Path(__file__).parent.parent / "resources"
GOLDEN = RESOURCES / "golden-lora"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "all-linear": ("grouped-untied", dict(r=3, lora_alpha=6, target_modules=ALL)),
    "rslora-saved": ("grouped-untied", dict(r=4, lora_alpha=4, use_rslora=True, target_modules=["q_proj", "v_proj", "up_proj"],
                                            modules_to_save=["embed_tokens", "lm_head", "norm"])),
}


def base(name):
    return LlamaForCausalLM.from_pretrained(RESOURCES / "golden" / name, dtype=torch.float32, attn_implementation="eager").eval()


def batch(name):
    golden = json.loads((RESOURCES / "golden" / name / "golden.json").read_text())
    return torch.tensor(golden["ids"]), torch.tensor(golden["labels"])


def file_name(parameter):
    return parameter.replace(".default", "").replace(".modules_to_save", "")


def make(case, folder):
    name, settings = CASES[case]
    model = get_peft_model(base(name), LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    random = numpy.random.RandomState(len(case))
    trained = {key: p for key, p in sorted(model.named_parameters()) if p.requires_grad}
    with torch.no_grad():
        for key, parameter in trained.items():
            noise = torch.from_numpy(random.standard_normal(tuple(parameter.shape)).astype(numpy.float32))
            parameter.copy_(0.3 * noise if "lora_" in key else parameter + 0.05 * noise)
    folder.mkdir(parents=True, exist_ok=True)
    model.peft_config["default"].base_model_name_or_path = name
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    ids, labels = batch(name)
    output = model(input_ids=ids, labels=labels)
    optimizer = torch.optim.AdamW([dict(params=[p for p in trained.values() if p.dim() == 2], weight_decay=0.1),
                                   dict(params=[p for p in trained.values() if p.dim() == 1], weight_decay=0.0)],
                                  lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    output.loss.backward()
    tensors = {"logits": output.logits.detach().contiguous()}
    tensors |= {f"gradient.{file_name(key)}": p.grad.clone().contiguous() for key, p in trained.items()}
    optimizer.step()
    tensors |= {f"stepped.{file_name(key)}": p.detach().contiguous() for key, p in trained.items()}
    save_file(tensors, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps(dict(base=name, loss=output.loss.item())) + "\n")


def check(directory):
    problems = []
    for case, (name, _) in CASES.items():
        model = PeftModel.from_pretrained(base(name), directory / case).eval()
        with torch.no_grad():
            logits = model(input_ids=batch(name)[0]).logits
        distance = float((logits - load_file(GOLDEN / case / "golden.safetensors")["logits"]).abs().max())
        print(f"{case}: logits of what Caravan wrote differ by up to {distance:.1e}")
        if not distance <= 1e-5:
            problems.append(case)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--check"]:
        check(pathlib.Path(sys.argv[2]))
    for case in CASES:
        make(case, GOLDEN / case)
