"""bytes_per_token.py MODEL FILE…: UTF-8 bytes per id of each text file, a line encoded by itself, as JSON."""

import json
import sys
from itertools import islice

import sentencepiece

model, *files = sys.argv[1:]
pieces = sentencepiece.SentencePieceProcessor(model_file=model)
result = []
for file in files:
    size = tokens = 0
    with open(file, encoding="utf-8", newline="\n") as lines:
        while part := [line.rstrip("\n") for line in islice(lines, 4096)]:
            size += sum(len(line.encode()) for line in part)
            tokens += sum(map(len, pieces.encode(part, num_threads=2)))
    result.append(size / tokens)
json.dump({"pieces": pieces.vocab_size(), "bytes_per_token": result}, sys.stdout)
