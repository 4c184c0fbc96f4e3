"""Corpora of the same documents, some of them made alike: what skew costs.

template  30 % of the documents are one text with a number behind it: near duplicates of each other
band      a third of the documents begin with a passage that puts them into one bucket of the first LSH band, and are unlike
"""

import json
import subprocess

import frame

KINDS = ("template", "band")


def skew(folder, target, kind):
    """Writes a copy of a folder of *.jsonl in which some documents are alike."""
    target.mkdir(parents=True)
    files = sorted(folder.glob("*.jsonl"))
    template = json.loads(median_line(files[0]))["text"]
    passage = band_passage() if kind == "band" else ""
    number = 0
    for file in files:
        with open(target / file.name, "w") as out:
            for line in open(file):
                document = json.loads(line)
                if kind == "template" and number % 10 < 3:
                    document["text"] = f"{template} {number}"
                elif kind == "band" and number % 3 == 0:
                    document["text"] = f"{passage} {document['text']}"
                out.write(json.dumps(document, ensure_ascii=False) + "\n")
                number += 1


def median_line(file):
    lines = sorted(open(file), key=len)
    return lines[len(lines) // 2]


def band_passage():
    command = ["java", "-cp", frame.ROOT / "jobs/target/caravan.jar", frame.ROOT / "jobs/bench/Passage.java"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
