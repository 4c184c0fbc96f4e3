"""jobs/bench/run filters [--corpus DIR] …: `caravan clean` beside datatrove 0.10.1, on the rules that datatrove runs.

A corpus is a folder with en/*.jsonl and zh/*.jsonl, a JSON object with a text on each line; without one the texts of the
quickstart's packages are taken. Both sides read the same files and write kept and dropped documents; every side's CPU-seconds
count all its processes from start to end. "marginal" is what more text costs once a program runs: the corpus several times
over, less the corpus once.

--verdicts N compares the verdicts instead: N English documents, rule by rule (see peers/datatrove_verdicts.py).
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

REQUIREMENTS = "jobs/python/datatrove.txt"
LANGUAGES = ("en", "zh")
FILES = 4  # per language, so that both cores have work to the end
NO_EDITS = ["clean.normalize=[]", "clean.mask-pii=[]", "clean.keep-languages=[zh,en,other]"]
RULES = [
    "clean.en.filters=[gopher-repetition,gopher-quality,citation-marks,c4-lines,c4-quality]",
    "clean.en.c4-lines.terminal-punctuation=true",
    "clean.en.c4-quality.max-curly-brackets=0",
    "clean.en.c4-quality.min-sentences=5",
    "clean.zh.filters=[gopher-repetition,fineweb-quality,gopher-quality]",
]


# What datatrove's rules are called here, and their defaults.
SHARED_RULES = {
    "gopher-repetition": ["gopher-repetition"],
    "gopher-quality": ["gopher-quality"],
    "c4": ["citation-marks", "c4-lines", "c4-quality"],
    "c4-paragraphs": ["c4-paragraphs"],
    "fineweb-quality": ["fineweb-quality"],
}


def ngrams(*limits):
    return [{"n": n, "max-characters": share} for n, share in limits]


DATATROVE_DEFAULTS = {
    "gopher-repetition": {
        "max-duplicate-lines": 0.3,
        "max-duplicate-line-characters": 0.2,
        "max-duplicate-paragraphs": 0.3,
        "max-duplicate-paragraph-characters": 0.2,
        "top-ngrams": ngrams((2, 0.2), (3, 0.18), (4, 0.16)),
        "duplicate-ngrams": ngrams((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1)),
    },
    "gopher-quality": {
        "min-words": 50,
        "max-words": 100000,
        "min-mean-word-length": 3,
        "max-mean-word-length": 10,
        "max-symbols-per-word": 0.1,
        "max-bullet-lines": 0.9,
        "max-ellipsis-lines": 0.3,
        "min-alphabetic-tokens": 0.8,
        "min-stop-words": 2,
        "stop-words": ["the", "be", "to", "of", "and", "that", "have", "with"],
    },
    "citation-marks": {"words": ["edit", "citation needed"]},
    "c4-lines": {
        "terminal-punctuation": True,
        "min-words": 3,
        "max-word-characters": 1000,
        "scripts": ["javascript"],
        "policies": ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"],
    },
    "c4-quality": {"placeholders": ["lorem ipsum"], "max-curly-brackets": 0, "min-sentences": 5},
    "c4-paragraphs": {"min-paragraphs": 3, "min-paragraph-characters": 200},
    "fineweb-quality": {
        "min-terminated-lines": 0.12,
        "max-short-lines": 0.67,
        "short-line-characters": 30,
        "max-duplicate-line-characters": 0.01,
        "max-line-breaks-per-word": 0.3,
    },
}


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run filters", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with en/*.jsonl and zh/*.jsonl (default: the quickstart's texts)")
    parser.add_argument("--mb", type=float, default=4, help="MB of each language that both sides read, at most")
    parser.add_argument("--peer-mb", type=float, help="MB of each language that datatrove reads, where less than ours")
    parser.add_argument("--times", type=int, default=12, help="how many times over the corpus is read for our marginal cost")
    parser.add_argument("--peer-times", type=int, default=2, help="the same for datatrove's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rules", choices=["same", "default"], default="same", help="ours: datatrove's rules, or all of ours")
    parser.add_argument("--verdicts", type=int, metavar="N", help="compare verdicts on N English documents instead")
    parser.add_argument("--work", type=Path, help="folder for inputs and outputs (default: a temporary one)")
    return parser.parse_args()


class Corpus:
    """The first megabytes of a corpus in files of equal size, once or several times over."""

    def __init__(self, source, folder, megabytes):
        self.folder = folder
        self.bytes = {}
        for language in LANGUAGES:
            self.bytes[language] = self.copy(source / language, folder / f"{language}-1", megabytes * 1e6)

    @staticmethod
    def copy(source, target, limit):
        target.mkdir(parents=True)
        outputs = [open(target / f"{i}.jsonl", "wb") for i in range(FILES)]
        written = number = 0
        for file in sorted(source.glob("*.jsonl")):
            for line in open(file, "rb"):
                if written >= limit:
                    break
                outputs[number % FILES].write(line)
                written += len(line)
                number += 1
        for out in outputs:
            out.close()
        if number == 0:
            sys.exit(f"bench: no *.jsonl with a line in {source}")
        return written

    def times(self, language, times):
        """A folder with the files so many times over."""
        folder = self.folder / f"{language}-{times}"
        if not folder.exists():
            folder.mkdir()
            for file in (self.folder / f"{language}-1").iterdir():
                for i in range(times):
                    os.link(file, folder / f"{i}-{file.name}")
        return folder


def ours(folders, output, rules):
    inputs = ",".join(f'"{folder}/*.jsonl"' for folder in folders)
    settings = [*NO_EDITS, *RULES] if rules == "same" else []
    command = [frame.ROOT / "jobs/caravan", "clean", "--master", "local[2]", "--force", f"input=[{inputs}]", f"output={output}"]
    shutil.rmtree(output, ignore_errors=True)
    return frame.run([*command, "spark.driver.memory=4g", *settings], f"{output}.log")


def datatrove(python, language, folder, output):
    script = frame.ROOT / "jobs/bench/peers/datatrove_filters.py"
    shutil.rmtree(output, ignore_errors=True)
    tasks = len(list(folder.glob("*.jsonl")))
    return frame.run([python, script, language, folder, output, tasks, 2], f"{output}.log")


def kept_by_us(output):
    report = json.loads((output / "report.json").read_text())
    return report["kept"]["documents"] / report["input"]["documents"]


def kept_by_datatrove(output):
    def lines(pattern):
        return sum(1 for file in output.glob(pattern) for _ in open(file, "rb"))

    kept = lines("kept/*.jsonl")
    return kept / (kept + lines("dropped/*/*.jsonl"))


def measure(o, work, source):
    corpus = Corpus(source, work / "ours", o.mb)
    peer_corpus = Corpus(source, work / "datatrove", min(o.mb, o.peer_mb or o.mb))
    python = frame.venv(REQUIREMENTS) / "bin/python"
    sides = {"ours": {}, "datatrove": {}}
    shares = {"ours": {}, "datatrove": {}}

    def note(side, key, cost):
        sides[side].setdefault(key, []).append(cost)
        print(f"{side} {key[0]} {key[1]}×: {cost.wall:.1f} s, {cost.cpu:.1f} CPU-s", file=sys.stderr, flush=True)

    ours([corpus.times("en", 1)], work / "out", o.rules)  # builds the jar, and brings files into memory
    for _ in range(o.rounds):
        for name, languages in {"en": ["en"], "zh": ["zh"], "both": LANGUAGES}.items():
            for times in (1, o.times):
                note("ours", (name, times), ours([corpus.times(x, times) for x in languages], work / "out", o.rules))
                shares["ours"][name] = kept_by_us(work / "out")
            for times in (1, o.peer_times) if name != "both" else ():
                output = work / f"datatrove-{name}"
                note("datatrove", (name, times), datatrove(python, name, peer_corpus.times(name, times), output))
                shares["datatrove"][name] = kept_by_datatrove(output)
    report(o, sides, shares, corpus.bytes, peer_corpus.bytes)


def report(o, sides, shares, our_bytes, peer_bytes):
    medians = {side: {key: frame.median(costs) for key, costs in runs.items()} for side, runs in sides.items()}
    peer = medians["datatrove"]
    for times in (1, o.peer_times):  # datatrove takes one language a run: together is one after the other
        both = [peer[language, times] for language in LANGUAGES]
        peer["both", times] = frame.Cost(sum(c.wall for c in both), sum(c.cpu for c in both), max(c.memory for c in both))
    rows, values = [], {}
    for name in ("en", "zh", "both"):
        languages = LANGUAGES if name == "both" else [name]
        our = speeds(medians["ours"], name, sum(our_bytes[x] for x in languages) / 1e6, o.times)
        theirs = speeds(peer, name, sum(peer_bytes[x] for x in languages) / 1e6, o.peer_times)
        for side, speed in (("ours", our), ("datatrove", theirs)):
            share = shares[side].get(name)
            rows.append([f"{name} {side}", *(f"{s:.2f}" for s in speed), f"{medians[side][name, 1].memory / 1e6:.0f}", f"{share:.1%}" if share else ""])
        for key, a, b in zip(("ratio", "ratio_cpu", "ratio_marginal"), our, theirs):
            values[key if name == "both" else f"{key}_{name}"] = a / b
        values[f"ours_marginal_mb_per_cpu_second_{name}"] = our[2]
    sizes = ", ".join(f"{x} {our_bytes[x] / 1e6:.1f} MB (datatrove {peer_bytes[x] / 1e6:.1f})" for x in LANGUAGES)
    print(f"{sizes}; medians of {o.rounds}; marginal: {o.times} times less once (datatrove {o.peer_times}); rules: {o.rules}")
    frame.table(["", "MB per wall s", "MB per CPU-s", "marginal MB per CPU-s", "peak MB", "kept"], rows)
    frame.result(bench="filters", rules=o.rules, **values)


def speeds(costs, name, megabytes, times):
    once, more = costs[name, 1], costs[name, times]
    return megabytes / once.wall, megabytes / once.cpu, megabytes * (times - 1) / (more.cpu - once.cpu)


def main():
    o = options()
    work = Path(tempfile.mkdtemp(prefix="caravan-bench-", dir=o.work))
    try:
        source = o.corpus.absolute() if o.corpus else quickstart_corpus(work / "corpus")
        if o.verdicts:
            verdicts(o, work, source)
        else:
            measure(o, work, source)
    finally:
        shutil.rmtree(work)


def verdicts(o, work, source):
    """Ours from one run per rule, theirs and the comparison from peers/datatrove_verdicts.py."""
    documents = work / "documents"
    documents.mkdir()
    lines = [line for file in sorted((source / "en").glob("*.jsonl")) for line in open(file, "rb")][: o.verdicts]
    records = [{"id": str(i), "text": json.loads(line)["text"]} for i, line in enumerate(lines)]
    (documents / "en.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for rule, filters in SHARED_RULES.items():
        settings = {language: {**DATATROVE_DEFAULTS, "filters": filters} for language in (*LANGUAGES, "other")}
        (work / "rule.conf").write_text(json.dumps({"clean": settings}))
        command = [frame.ROOT / "jobs/caravan", "clean", "--master", "local[2]", "--config", work / "rule.conf", *NO_EDITS]
        arguments = ["read.id-field=id", f"input={documents}/en.jsonl", f"output={work}/{rule}"]
        cost = frame.run([*command, *arguments], work / "log")
        print(f"ours, {rule}: {cost.wall:.1f} s", file=sys.stderr, flush=True)
    python = frame.venv(REQUIREMENTS) / "bin/python"
    script = frame.ROOT / "jobs/bench/peers/datatrove_verdicts.py"
    done = subprocess.run([python, script, documents / "en.jsonl", work, *SHARED_RULES])
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
