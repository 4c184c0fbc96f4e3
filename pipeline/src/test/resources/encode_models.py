"""Models that Python's sentencepiece trains and encodes with: FOLDER with lines.json and models; ids as JSON on standard output."""
import json
import sys
from pathlib import Path

import sentencepiece

folder = Path(sys.argv[1])
lines = json.loads((folder / "lines.json").read_text(encoding="utf-8"))
text = folder / "lines.txt"
text.write_text("\n".join(line.replace("\n", " ").replace("\r", " ").replace("\0", " ") for line in lines[:1500]), encoding="utf-8")
plain = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
symbols = {"user_defined_symbols": ["<|end|>", "天气", "Ａ１", "the t"]}
kinds = {
    "bpe": {"model_type": "bpe", "byte_fallback": True, **plain},
    "bpe-without-bytes": {"model_type": "bpe", "character_coverage": 0.98, **symbols},
    "bpe-suffix": {"model_type": "bpe", "byte_fallback": True, "treat_whitespace_as_suffix": True, "normalization_rule_name": "nfkc_cf"},
    "bpe-spaces": {"model_type": "bpe", "byte_fallback": True, "remove_extra_whitespaces": False, "add_dummy_prefix": False, **symbols},
    "unigram": {"model_type": "unigram", "byte_fallback": True, **plain, **symbols},
    "unigram-without-bytes": {"model_type": "unigram", "character_coverage": 0.98, "normalization_rule_name": "nfkc"},
    "char": {"model_type": "char", **symbols},
}
for name, options in kinds.items():
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / name), vocab_size=700, hard_vocab_limit=False, num_threads=2, minloglevel=2, **options
    )
result = {}
for file in sorted(folder.glob("*.model")):
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(file))
    result[file.name] = [pieces.encode(line) for line in lines]
json.dump(result, sys.stdout)
