"""What transformers' tokenizers make of a folder with tokenizer.model and a file of texts: ids, as JSON on standard output."""
import json
import sys
from pathlib import Path

import transformers

folder, texts = sys.argv[1:]
lines = json.loads(Path(texts).read_text(encoding="utf-8"))
ids = {}
for kind in (transformers.LlamaTokenizer, transformers.AutoTokenizer):
    # A text that spells <s> is text here, as it is for sentencepiece.
    tokenizer = kind.from_pretrained(folder, split_special_tokens=True)
    ids[kind.__name__] = tokenizer(lines, add_special_tokens=False)["input_ids"]
json.dump({"version": transformers.__version__, "size": len(tokenizer), "ids": ids}, sys.stdout)
