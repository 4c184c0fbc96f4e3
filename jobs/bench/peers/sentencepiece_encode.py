"""Python's sentencepiece in one thread: MODEL LINES IDS SECONDS; as Encodes.java."""

import sys
import time
from array import array

import sentencepiece


def main(model, lines, ids, seconds):
    pieces = sentencepiece.SentencePieceProcessor(model_file=model)
    texts = open(lines, encoding="utf-8", newline="\n").read().split("\n")[:-1]
    with open(ids, "wb") as out:
        for text in texts:
            encoded = pieces.encode(text)
            row = array("i", [len(encoded), *encoded])
            row.byteswap()
            row.tofile(out)
    end = time.monotonic() + float(seconds)
    while True:
        start = time.monotonic()
        for text in texts:
            pieces.encode(text)
        print("pass", time.monotonic() - start)
        if time.monotonic() >= end:
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
