"""jobs/bench/run train-tokenizer [--corpus DIR] …: `caravan train-tokenizer` beside Python sentencepiece 0.2.0's trainer.

A corpus is a folder with en/*.jsonl and zh/*.jsonl, a JSON object with text on each line; without one it is made of the texts of
the quickstart's packages. Both sides read the same text files, a line a document, and learn with the same settings: no
normalization, byte fallback, digits apart, pieces of up to 16 characters, all sentences of any length, two threads. Bytes per
token are counted by sentencepiece on the same lines, with either side's model. Time and memory are of whole processes, from
start to end, Spark's start included.

--limit-memory MB shows what becomes of a corpus where a process may have so much memory: sentencepiece's is limited by the
system (RLIMIT_DATA), of ours the heap, and what the whole process took is measured.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import frame
from corpora.planted import planted_corpus

REQUIREMENTS = "jobs/python/text.txt"
LANGUAGES = ("en", "zh")
PEERS = frame.ROOT / "jobs/bench/peers"


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run train-tokenizer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with en/*.jsonl and zh/*.jsonl (default: one of the quickstart's texts)")
    parser.add_argument("--mb", type=float, default=60, help="MB of text of both languages together, at most")
    parser.add_argument("--kind", default="bpe", choices=("bpe", "char"))
    parser.add_argument("--vocab-size", type=int, default=16000)
    parser.add_argument("--coverage", type=float, default=0.9995, help="character coverage")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heap", default="512m", help="Java's heap; about the least that Spark starts with")
    parser.add_argument("--limit-memory", type=int, metavar="MB", help="one run of each side with so much memory")
    parser.add_argument("--work", type=Path, help="folder for inputs and outputs (default: a temporary one)")
    return parser.parse_args()


def text_files(source, folder, limit):
    """The first megabytes of each language as text, a line a document; returns the files and their bytes."""
    folder.mkdir(parents=True)
    files = {}
    for language in LANGUAGES:
        target = folder / f"{language}.txt"
        written = 0
        with open(target, "wb") as out:
            for line in (line for file in sorted((source / language).glob("*.jsonl")) for line in open(file, "rb")):
                if written >= limit:
                    break
                for text in json.loads(line)["text"].encode().splitlines():
                    if text.strip():
                        written += out.write(text + b"\n")
        if not written:
            sys.exit(f"bench: no *.jsonl with a text in {source / language}")
        files[target] = written
    return files


def ours(o, files, output, heap):
    shutil.rmtree(output, ignore_errors=True)
    settings = {
        "kind": o.kind,
        "vocab-size": o.vocab_size,
        "character-coverage": o.coverage,
        "split-digits": "true",
        "max-piece-length": 16,
    }
    inputs = ",".join(f'"{file}"' for file in files)
    command = [frame.ROOT / "jobs/caravan", "train-tokenizer", "--master", "local[2]", "--force", "read.format=lines", f"spark.driver.memory={heap}"]
    command += [f"train-tokenizer.{key}={value}" for key, value in settings.items()]
    return frame.run([*command, f"input=[{inputs}]", f"output={output}"], f"{output}.log")


def peer_command(o, python, files, output, *limit):
    settings = {
        "model_type": o.kind,
        "vocab_size": o.vocab_size,
        "character_coverage": o.coverage,
        "byte_fallback": True,
        "split_digits": True,
        "max_sentencepiece_length": 16,
        "allow_whitespace_only_pieces": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "input_sentence_size": 0,
        "max_sentence_length": 1 << 30,
        "num_threads": 2,
    }
    return [python, PEERS / "sentencepiece_train.py", ",".join(map(str, files)), output, json.dumps(settings), *limit]


def bytes_per_token(python, model, files):
    done = subprocess.run([python, PEERS / "bytes_per_token.py", model, *files], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure(o, work, files):
    python = frame.venv(REQUIREMENTS) / "bin/python"
    costs = {"ours": [], "sentencepiece": []}
    models = {"ours": work / "ours/tokenizer.model", "sentencepiece": work / "peer.model"}
    subprocess.run([frame.ROOT / "jobs/caravan", "train-tokenizer", "--help"], stdout=subprocess.DEVNULL, check=True)  # builds the jar
    for _ in range(o.rounds):
        costs["ours"].append(ours(o, files, work / "ours", o.heap))
        costs["sentencepiece"].append(frame.run(peer_command(o, python, files, work / "peer"), work / "peer.log"))
        for side, runs in costs.items():
            print(f"{side}: {runs[-1].wall:.1f} s, {runs[-1].cpu:.1f} CPU-s, {runs[-1].memory / 1e6:.0f} MB", file=sys.stderr, flush=True)
    costs = {side: frame.median(runs) for side, runs in costs.items()}
    learned = {side: bytes_per_token(python, model, files) for side, model in models.items()}
    report(o, files, costs, learned)


def report(o, files, costs, learned):
    sizes = ", ".join(f"{file.stem} {size / 1e6:.1f} MB" for file, size in files.items())
    print(f"{sizes}; {o.kind}, {learned['ours']['pieces']} and {learned['sentencepiece']['pieces']} pieces; medians of {o.rounds}")
    rows = [
        [side, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.memory / 1e6:.0f}", *(f"{b:.4f}" for b in learned[side]["bytes_per_token"])]
        for side, cost in costs.items()
    ]
    frame.table(["", "wall s", "CPU-s", "peak MB", *(f"{language} bytes/token" for language in LANGUAGES)], rows)
    a, b = costs["ours"], costs["sentencepiece"]
    compression = {
        f"bytes_per_token_{language}": x / y
        for language, x, y in zip(LANGUAGES, learned["ours"]["bytes_per_token"], learned["sentencepiece"]["bytes_per_token"])
    }
    frame.result(
        bench="train-tokenizer",
        megabytes=sum(files.values()) / 1e6,
        ratio=b.wall / a.wall,
        ratio_cpu=b.cpu / a.cpu,
        ratio_memory=b.memory / a.memory,
        **compression,
    )


def limited(o, work, files):
    """Both sides once, where a process may have so much memory."""
    python = frame.venv(REQUIREMENTS) / "bin/python"
    subprocess.run([frame.ROOT / "jobs/caravan", "train-tokenizer", "--help"], stdout=subprocess.DEVNULL, check=True)
    mine = ours(o, files, work / "ours", o.heap)
    pieces = bytes_per_token(python, work / "ours/tokenizer.model", files)
    peer = subprocess.run(
        [str(part) for part in peer_command(o, python, files, work / "peer", o.limit_memory * 10**6)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    last = (peer.stderr.strip().splitlines() or ["no message"])[-1]
    finished = (work / "peer.model").exists()
    print(f"{sum(files.values()) / 1e6:.1f} MB of text, {o.limit_memory} MB of memory")
    print(f"ours: {pieces['pieces']} pieces in {mine.wall:.1f} s; at most {mine.memory / 1e6:.0f} MB")
    print(f"sentencepiece: {'done' if finished else 'no model'}, status {peer.returncode}: {last}")
    frame.result(
        bench="train-tokenizer",
        megabytes=sum(files.values()) / 1e6,
        limit_mb=o.limit_memory,
        ours_mb=mine.memory / 1e6,
        ours_within=mine.memory <= o.limit_memory * 10**6,
        sentencepiece_finished=finished,
    )


def main():
    o = options()
    work = Path(tempfile.mkdtemp(prefix="caravan-bench-", dir=o.work))
    try:
        source = o.corpus.absolute() if o.corpus else planted_corpus(work / "corpus", o.mb * 1.1e6 / 2)
        files = text_files(source, work / "text", o.mb * 1e6 / 2)
        (limited if o.limit_memory else measure)(o, work, files)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
