"""Golden values of real `transformers` models for GoldenTest, in model/src/test/resources/golden.

    $(jobs/venv model/src/test/python/requirements.txt)/bin/python model/src/test/python/make_golden.py
    …/make_golden.py --check                                  re-make and compare with what is committed
    …/make_golden.py --check --exported model/target/golden   also open what GoldenTest exported there

Per case a directory as `save_pretrained` writes it (config.json, model.safetensors), golden.json (token ids, labels,
loss, greedy continuation) and golden.safetensors (logits, the gradient of every parameter, and the parameters after two
steps of AdamW). Two cases also have the gradient under label smoothing and z-loss, and the parameters after steps of SGD
and Lion.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

GOLDEN = pathlib.Path(__file__).parent.parent / "resources" / "golden"
BATCH, LENGTH, PROMPT, CONTINUATION = 2, 11, 4, 14

COMMON = dict(bos_token_id=1, eos_token_id=None, pad_token_id=None, max_position_embeddings=32)
SHAPE = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             vocab_size=31, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True)
CASES = {
    "tied": (dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
                  vocab_size=41, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True), torch.float32),
    "grouped-untied": (dict(hidden_size=20, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
                            num_key_value_heads=2, head_dim=6, vocab_size=37, rms_norm_eps=1e-6, rope_theta=500000.0,
                            tie_word_embeddings=False), torch.float32),
    "multi-query-bfloat16": (dict(hidden_size=24, intermediate_size=20, num_hidden_layers=1, num_attention_heads=3,
                                  num_key_value_heads=1, vocab_size=29, rms_norm_eps=1e-5, rope_theta=10000.0,
                                  tie_word_embeddings=False), torch.bfloat16),
    "linear": (dict(SHAPE, rope_scaling=dict(rope_type="linear", factor=4.0)), torch.float32),
    "dynamic": (dict(SHAPE, max_position_embeddings=8, rope_scaling=dict(rope_type="dynamic", factor=4.0)), torch.float32),
    "llama3": (dict(SHAPE, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                             original_max_position_embeddings=16)), torch.float32),
    "llama31": (dict(hidden_size=24, intermediate_size=36, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
                     head_dim=10, vocab_size=43, rms_norm_eps=1e-5, rope_theta=500000.0, tie_word_embeddings=False,
                     rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                       original_max_position_embeddings=16)), torch.float32),
}


def greedy(model, prompt):
    """The prompt and its continuation.

    Dynamic scaling makes generate() mix keys turned by the frequencies of several lengths. All are turned by those of the
    whole sequence here, which zeros fill up to its end: no position sees what follows it.
    """
    if model.config.rope_parameters["rope_type"] != "dynamic":
        return model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=CONTINUATION, do_sample=False)
    ids = torch.nn.functional.pad(prompt, (0, CONTINUATION))
    for position in range(PROMPT, PROMPT + CONTINUATION):
        with torch.no_grad():
            ids[0, position] = model(input_ids=ids).logits[0, position - 1].argmax()
    return ids


def stepped(folder, ids, labels):
    """The parameters after two steps of AdamW with clipping; gains of norms are spared by the decay."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    matrices = [p for p in model.parameters() if p.dim() == 2]
    gains = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1), dict(params=gains, weight_decay=0.0)],
                                  lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    for _ in range(2):
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return {f"stepped.{key}": p.detach().contiguous() for key, p in model.named_parameters()}


class Lion(torch.optim.Optimizer):
    """Program 1 of arXiv 2302.06675, line by line, without its weight decay."""

    def __init__(self, parameters, lr, betas):
        super().__init__(parameters, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for weight in group["params"]:
                momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                update = torch.sign(momentum * beta1 + weight.grad * (1 - beta1))
                momentum.copy_(momentum * beta2 + weight.grad * (1 - beta2))
                weight.sub_(update * group["lr"])


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "lion": lambda parameters: Lion(parameters, lr=0.01, betas=(0.9, 0.99)),
}


def stepped_by(optimizer, folder, ids, labels):
    """The parameters after three steps of another optimizer with clipping."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    steps = OPTIMIZERS[optimizer](list(model.parameters()))
    for _ in range(3):
        steps.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
    return {f"{optimizer}.{key}": p.detach().contiguous() for key, p in model.named_parameters()}


def objective(folder, ids, labels):
    """Cross entropy with label smoothing 0.1 plus z-loss with coefficient 0.01, and its gradient."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    logits = model(input_ids=ids).logits[:, :-1].flatten(0, 1)
    targets = labels[:, 1:].flatten()
    log_z = torch.logsumexp(logits[targets != -100], dim=-1)
    loss = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.1) + 0.01 * log_z.square().mean()
    loss.backward()
    return loss.item(), {f"objective.{key}": p.grad.contiguous() for key, p in model.named_parameters()}


def make(name, folder):
    """Makes one case; numpy draws the numbers because its RandomState never changes."""
    settings, dtype = CASES[name]
    random = numpy.random.RandomState(len(name))
    model = LlamaForCausalLM(LlamaConfig(**(COMMON | settings), attn_implementation="eager")).to(dtype)
    with torch.no_grad():
        for key, parameter in sorted(model.named_parameters()):
            values = random.standard_normal(tuple(parameter.shape))
            values = 1 + 0.2 * values if parameter.dim() == 1 else values * 1.2 / parameter.shape[1] ** 0.5
            parameter.copy_(torch.from_numpy(values.astype(numpy.float32)))
    model.save_pretrained(folder)

    # Arithmetic in float32 on the weights as they were stored; model.float() would keep rotary frequencies once rounded.
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.from_numpy(random.randint(0, settings["vocab_size"], (BATCH, LENGTH)))
    labels = ids.clone()
    labels[0, :5] = -100
    labels[1, 7] = -100
    output = model(input_ids=ids, labels=labels)
    output.loss.backward()
    tensors = {"logits": output.logits.detach().contiguous()}
    tensors |= {f"gradient.{key}": p.grad.contiguous() for key, p in model.named_parameters()}
    tensors |= stepped(folder, ids, labels)
    more = {}
    if name in ("tied", "grouped-untied"):
        more["objective"], gradient = objective(folder, ids, labels)
        tensors |= gradient | stepped_by("sgd", folder, ids, labels) | stepped_by("lion", folder, ids, labels)
    save_file(tensors, folder / "golden.safetensors")

    prompt = ids[:1, :PROMPT]
    generated = greedy(model, prompt)
    with torch.no_grad():
        margins = model(input_ids=generated).logits[0, PROMPT - 1:-1].topk(2).values
    margin = float((margins[:, 0] - margins[:, 1]).min())
    if margin < 1e-3:
        sys.exit(f"{name}: the greedy choice is won by only {margin}: choose another seed")
    golden = dict(ids=ids.tolist(), labels=labels.tolist(), loss=output.loss.item(), prompt=prompt[0].tolist(),
                  continuation=generated[0, PROMPT:].tolist(), **more)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


def difference(case, left, right):
    """What differs between two directories of one case, or an empty list."""
    problems = []
    a, b = (json.loads((folder / "golden.json").read_text()) for folder in (left, right))
    problems += [f"{case}: {key} is {a[key]}, was {b[key]}" for key in a
                 if key not in ("loss", "objective") and a[key] != b[key]]
    for key in ("loss", "objective"):
        if abs(a.get(key, 0) - b.get(key, 0)) > 1e-5:
            problems.append(f"{case}: {key} is {a.get(key)}, was {b.get(key)}")
    for file, tolerance in (("model.safetensors", 0), ("golden.safetensors", 1e-5)):
        a, b = (load_file(folder / file) for folder in (left, right))
        if a.keys() != b.keys():
            problems.append(f"{case}: {file} holds {sorted(a.keys() ^ b.keys())} on one side only")
            continue
        for key in a:
            distance = float((a[key] - b[key]).abs().max())
            if distance > tolerance:
                problems.append(f"{case}: {file} {key} differs by up to {distance}")
    return problems


def open_exported(case, folder):
    """Opens a directory that Caravan wrote, as any user would, and compares it with the golden values."""
    golden = json.loads((GOLDEN / case / "golden.json").read_text())
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    problems = [f"{case}: exported: {key}: {sorted(value)}" for key, value in info.items() if value]
    if model.dtype != torch.float32:
        problems.append(f"{case}: exported: dtype {model.dtype}")
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.tensor(golden["ids"])).logits
    distance = float((logits - load_file(GOLDEN / case / "golden.safetensors")["logits"]).abs().max())
    if distance > 1e-5:
        problems.append(f"{case}: exported: logits differ by up to {distance}")
    generated = greedy(model, torch.tensor([golden["prompt"]]))
    if generated[0, PROMPT:].tolist() != golden["continuation"]:
        problems.append(f"{case}: exported: continues {generated[0, PROMPT:].tolist()}, not {golden['continuation']}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--exported", type=pathlib.Path, help="directory with a model per case, written by Caravan")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    problems = []
    with tempfile.TemporaryDirectory() as temporary:
        for case in CASES:
            folder = (pathlib.Path(temporary) if arguments.check else GOLDEN) / case
            folder.mkdir(parents=True, exist_ok=True)
            make(case, folder)
            if arguments.check:
                problems += difference(case, folder, GOLDEN / case)
            if arguments.exported:
                problems += open_exported(case, arguments.exported / case)
    print("\n".join(problems) if problems else f"{len(CASES)} cases: no differences" if arguments.check else GOLDEN)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
