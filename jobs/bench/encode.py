"""jobs/bench/run encode [--corpus DIR] [--model FILE] …: one thread each of encoder=fast, Spark NLP's SentencePiece and Python's
sentencepiece 0.2.0, the same lines, ids compared line by line.

A corpus is a folder with en/*.jsonl and zh/*.jsonl, a JSON object with a text on each line; without one the texts of the
quickstart's packages are taken. Without a model a vocabulary of 16,000 is learned from the lines by Python's sentencepiece.

In every round each side is a process of its own, in turn, that encodes all lines again and again for some seconds; its time is
the median of its passes, a round's the process', and the table's the median of the rounds. "first" is the first timed pass,
after one that wrote the ids: what a JVM does before it is warm.
"""

import argparse
import json
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import frame
from corpora.quickstart import quickstart_corpus

REQUIREMENTS = "jobs/python/text.txt"
LANGUAGES = ("en", "zh")
SIDES = ("fast", "spark_nlp", "python")
PEERS = frame.ROOT / "jobs/bench/peers"
TARGET = frame.ROOT / "jobs/target"


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run encode", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with en/*.jsonl and zh/*.jsonl (default: the quickstart's texts)")
    parser.add_argument("--model", type=Path, help="a SentencePiece BPE model (default: one of 16,000 pieces is learned)")
    parser.add_argument("--mb", type=float, default=6, help="MB of each language, at most")
    parser.add_argument("--seconds", type=float, default=8, help="how long each process goes on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for lines and ids (default: a temporary one)")
    return parser.parse_args()


def lines(source, target, limit):
    """The lines of a language's documents, those with a character; returns their bytes."""
    size = 0
    with open(target, "w", encoding="utf-8", newline="\n") as out:
        for file in sorted(source.glob("*.jsonl")):
            for document in open(file, encoding="utf-8"):
                # Whatever else a reader takes for the end of a line is none here.
                for line in json.loads(document)["text"].replace("\r", " ").split("\n"):
                    if size < limit and line:
                        out.write(line + "\n")
                        size += len(line.encode())
    if not size:
        sys.exit(f"bench: no *.jsonl with a line in {source}")
    return size


def commands(python, model, work, seconds):
    classpath = f"{(TARGET / 'spark.classpath').read_text().strip()}:{TARGET / 'caravan.jar'}"
    java = ["java", "-XX:+UseSerialGC", "-Xmx2g", "--add-modules", "jdk.incubator.vector", "-cp", classpath, frame.ROOT / "jobs/bench/Encodes.java"]
    for language in LANGUAGES:
        for side in SIDES:
            start = [python, PEERS / "sentencepiece_encode.py"] if side == "python" else [*java, side]
            yield side, language, [*start, model, work / language, work / f"{side}-{language}.ids", seconds]


def passes(log):
    return [float(line.split()[1]) for line in open(log) if line.startswith("pass ")]


def rows(file):
    data = file.read_bytes()
    at = 0
    while at < len(data):
        end = at + 4 + 4 * struct.unpack_from(">i", data, at)[0]
        yield data[at:end]
        at = end


def different(work, language):
    """Lines on which not all sides agree, and the number of lines."""
    found = [list(rows(work / f"{side}-{language}.ids")) for side in SIDES]
    if len({len(side) for side in found}) != 1:
        sys.exit(f"bench: {language}: the sides encoded {[len(side) for side in found]} lines")
    return sum(len(set(line)) > 1 for line in zip(*found)), len(found[0])


def measure(o, work, source):
    subprocess.run([frame.ROOT / "jobs/caravan", "--version"], check=True, stdout=subprocess.DEVNULL)  # builds the jar
    size = {language: lines(source / language, work / language, o.mb * 1e6) for language in LANGUAGES}
    python = frame.venv(REQUIREMENTS) / "bin/python"
    model = o.model.absolute() if o.model else work / "bench.model"
    if not o.model:
        (work / "all").write_bytes(b"".join((work / language).read_bytes() for language in LANGUAGES))
        frame.run([python, PEERS / "sentencepiece_model.py", "train", work / "all", model, 16000], work / "train.log")
    times, first = {}, {}
    for _ in range(o.rounds):
        for side, language, command in commands(python, model, work, o.seconds):
            log = work / f"{side}-{language}.log"
            frame.run(command, log)
            times.setdefault((side, language), []).append(statistics.median(passes(log)))
            first.setdefault((side, language), []).append(passes(log)[0])
            print(f"{side} {language}: {size[language] / 1e6 / times[side, language][-1]:.1f} MB/s", file=sys.stderr, flush=True)
    report(o, work, size, *({key: statistics.median(runs) for key, runs in all.items()} for all in (times, first)))


def report(o, work, size, times, first):
    differing = {language: different(work, language) for language in LANGUAGES}
    print(f"one thread; medians of {o.rounds} rounds; " + ", ".join(f"{x} {size[x] / 1e6:.1f} MB in {differing[x][1]:,} lines" for x in LANGUAGES))

    def speed(seconds, side, language):
        return size[language] / 1e6 / seconds[side, language]

    frame.table(
        ["MB/s", *LANGUAGES, *(f"{language} first" for language in LANGUAGES)],
        [[side, *(f"{speed(seconds, side, x):.1f}" for seconds in (times, first) for x in LANGUAGES)] for side in SIDES],
    )
    print("lines with other ids: " + ", ".join(f"{language} {differing[language][0]}" for language in LANGUAGES))
    values = {}
    for peer in SIDES[1:]:
        for language in LANGUAGES:
            values[f"ratio_{peer}_{language}"] = times[peer, language] / times["fast", language]
    ratio = sum(times["python", x] for x in LANGUAGES) / sum(times["fast", x] for x in LANGUAGES)
    speeds = {f"{side}_{x}": speed(times, side, x) for side in SIDES for x in LANGUAGES}
    frame.result(bench="encode", ratio=ratio, different_lines=sum(d for d, _ in differing.values()), **values, **speeds)


def main():
    o = options()
    work = Path(tempfile.mkdtemp(prefix="caravan-bench-", dir=o.work))
    try:
        measure(o, work, o.corpus.absolute() if o.corpus else quickstart_corpus(work / "corpus"))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
