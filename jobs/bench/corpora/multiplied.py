"""A corpus several times over, in other letters each time: as many duplicates in each copy, and none between two."""

import json

HAN = range(0x4E00, 0x9FA6)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def multiply(folder, target, times):
    """Writes so many copies of a folder of *.jsonl; the first is as it was."""
    target.mkdir(parents=True)
    for copy in range(times):
        letters = shifted(copy)
        for file in sorted(folder.glob("*.jsonl")):
            with open(target / f"{copy}-{file.name}", "w") as out:
                for line in open(file):
                    document = json.loads(line)
                    text = document["text"].translate(letters) if copy else document["text"]
                    out.write(json.dumps({"id": f"{copy}-{document['id']}", "text": text}, ensure_ascii=False) + "\n")


def shifted(by):
    """Every letter and every Han character becomes another: no word and no two neighbours stay what they were."""
    table = {}
    for alphabet in (LETTERS, LETTERS.upper()):
        table |= {ord(c): alphabet[(i * 3 + by * 5) % 26] for i, c in enumerate(alphabet)}
    return table | {c: HAN[(i + by * 2017) % len(HAN)] for i, c in enumerate(HAN)}
