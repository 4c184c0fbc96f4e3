"""jobs/bench/run tokenize [--corpus DIR] [--model FILE] …: documents → token shards, `caravan tokenize` beside datatrove 0.10.1's
DocumentTokenizer with the same vocabulary, 2 workers each.

A corpus is a folder with en/*.jsonl and zh/*.jsonl, a JSON object with a text on each line; without one the texts of the
quickstart's packages are taken. Without a model a vocabulary of 16,000 is learned from it by Python's sentencepiece. Both sides
read the same files, the corpus some times over, one language at a time, and write shuffled documents. CPU-seconds count all
processes from start to end, Spark's start included; "marginal" is what more text costs once a program runs: all of it less its
first part. Beside --encoder the default one is measured too, from start to end.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import frame
from corpora.quickstart import quickstart_corpus
from encode import PEERS, lines

REQUIREMENTS = "jobs/python/datatrove.txt"
LANGUAGES = ("en", "zh")
DEFAULT_ENCODER = "spark_nlp"
FILES = 4  # per copy of a language, so that both cores have work to the end


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run tokenize", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with en/*.jsonl and zh/*.jsonl (default: the quickstart's texts)")
    parser.add_argument("--model", type=Path, help="a SentencePiece BPE model with byte fallback (default: one of 16,000 pieces is learned)")
    parser.add_argument("--mb", type=float, default=60, help="MB of each language that are read once, at most")
    parser.add_argument("--total-mb", type=float, default=240, help="MB of each language that are read, about: the corpus some times over")
    parser.add_argument("--encoder", choices=["fast", DEFAULT_ENCODER], default="fast")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for inputs and outputs (default: a temporary one)")
    return parser.parse_args()


def copy(source, target, limit, total):
    """The first megabytes of a language in files of equal size, some times over; text bytes of it all, and of one time."""
    target.mkdir(parents=True)
    outputs = [open(target / f"0-{i}.jsonl", "wb") for i in range(FILES)]
    size, text = 0, 0
    for file in sorted(source.glob("*.jsonl")):
        for n, line in enumerate(open(file, "rb")):
            if size < limit:
                outputs[n % FILES].write(line)
                size += len(line)
                text += len(json.loads(line)["text"].encode())
    for out in outputs:
        out.close()
    if not size:
        sys.exit(f"bench: no *.jsonl with a line in {source}")
    times = max(1, round(total / size))
    for time in range(1, times):
        for i in range(FILES):
            os.link(target / f"0-{i}.jsonl", target / f"{time}-{i}.jsonl")
    return text * times, text


def ours(encoder, folder, model, output):
    command = [frame.ROOT / "jobs/caravan", "tokenize", "--master", "local[2]", "--force", "spark.driver.memory=4g", f"encoder={encoder}"]
    shutil.rmtree(output, ignore_errors=True)
    return frame.run([*command, f"input={folder}", f"output={output}", f"tokenizer={model}"], f"{output}.log")


def datatrove(python, folder, vocabulary, output):
    shutil.rmtree(output, ignore_errors=True)
    tasks = len(list(folder.glob("*.jsonl")))
    return frame.run([python, PEERS / "datatrove_tokenize.py", folder, output, vocabulary, tasks, 2], f"{output}.log")


def vocabulary(o, work, source):
    python = frame.venv("jobs/python/text.txt") / "bin/python"
    model = o.model.absolute() if o.model else work / "bench.model"
    if not o.model:
        for language in LANGUAGES:
            lines(source / language, work / f"{language}.txt", 6e6)
        (work / "all").write_bytes(b"".join((work / f"{language}.txt").read_bytes() for language in LANGUAGES))
        frame.run([python, PEERS / "sentencepiece_model.py", "train", work / "all", model, 16000], work / "train.log")
    subprocess.run([python, PEERS / "sentencepiece_model.py", "convert", model, work / "tokenizer.json"], check=True)
    return model, work / "tokenizer.json"


def measure(o, work, source):
    subprocess.run([frame.ROOT / "jobs/caravan", "--version"], check=True, stdout=subprocess.DEVNULL)  # builds the jar
    model, converted = vocabulary(o, work, source)
    size, part = {}, {}
    for language in LANGUAGES:
        size[language], part[language] = copy(source / language, work / language, o.mb * 1e6, o.total_mb * 1e6)
        (work / f"{language}-part").mkdir()
        for i in range(FILES):
            os.link(work / language / f"0-{i}.jsonl", work / f"{language}-part" / f"0-{i}.jsonl")
    python = frame.venv(REQUIREMENTS) / "bin/python"
    costs = {}

    def run(side, amount):
        output, folder = work / f"{side}-{amount}", work / amount
        if side == "datatrove":
            return datatrove(python, folder, converted, output)
        return ours(o.encoder if side == "ours" else DEFAULT_ENCODER, folder, model, output)

    for side in ("ours", "datatrove"):  # what the launcher does once, and all programs' files into memory
        run(side, "zh-part")
    turns = [(side, part) for part in ("-part", "") for side in ("ours", "datatrove")]
    if o.encoder != DEFAULT_ENCODER:
        turns.append((DEFAULT_ENCODER, ""))
    for _ in range(o.rounds):
        for language in LANGUAGES:
            for side, part_of in turns:
                amount = language + part_of
                cost = run(side, amount)
                costs.setdefault((side, amount), []).append(cost)
                print(f"{side} {amount}: {cost.wall:.1f} s, {cost.cpu:.1f} CPU-s", file=sys.stderr, flush=True)
    report(o, size, part, {key: frame.median(runs) for key, runs in costs.items()})


def report(o, size, part, costs):
    print(f"medians of {o.rounds}; " + ", ".join(f"{x} {size[x] / 1e6:.0f} MB of text, its first part {part[x] / 1e6:.0f} MB" for x in LANGUAGES))
    rows, values = [], {}
    for language in LANGUAGES:
        speeds = {}
        for side in ("ours", "datatrove"):
            whole, first = costs[side, language], costs[side, f"{language}-part"]
            more = (size[language] - part[language]) / max(1e-9, whole.cpu - first.cpu)
            speeds[side] = size[language] / whole.wall, size[language] / whole.cpu, more
            rows.append([f"{language} {side}", *(f"{s / 1e6:.2f}" for s in speeds[side]), f"{whole.memory / 1e6:.0f}"])
        if (DEFAULT_ENCODER, language) in costs:
            whole = costs[DEFAULT_ENCODER, language]
            values[f"ratio_cpu_{DEFAULT_ENCODER}_{language}"] = costs["datatrove", language].cpu / whole.cpu
            speed = (f"{size[language] / cost / 1e6:.2f}" for cost in (whole.wall, whole.cpu))
            rows.append([f"{language} ours, {DEFAULT_ENCODER}", *speed, "", f"{whole.memory / 1e6:.0f}"])
        for name, a, b in zip(("ratio", "ratio_cpu", "ratio_marginal"), speeds["ours"], speeds["datatrove"]):
            values[f"{name}_{language}"] = a / b
    frame.table(["", "MB per wall s", "MB per CPU-s", "marginal MB per CPU-s", "peak MB"], rows)
    total = {side: [sum(getattr(costs[side, x], field) for x in LANGUAGES) for field in ("wall", "cpu")] for side in ("ours", "datatrove")}
    ratio, ratio_cpu = (b / a for a, b in zip(total["ours"], total["datatrove"]))
    frame.result(bench="tokenize", encoder=o.encoder, ratio=ratio, ratio_cpu=ratio_cpu, **values)


def main():
    o = options()
    work = Path(tempfile.mkdtemp(prefix="caravan-bench-", dir=o.work))
    try:
        measure(o, work, o.corpus.absolute() if o.corpus else quickstart_corpus(work / "corpus"))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
