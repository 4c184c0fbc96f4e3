"""jobs/bench/run averaging [--exchange | --precision | --rounds-long N]: what averaging costs, of real trainings by jobs/caravan pretrain.

Without options: two workers of one thread beside one, on two cores, in turn (15M shape, 20 steps a round, train.exchange=sliced; --set
train.exchange=stock measures the other). speedup_2_workers is the
ratio of their tokens per second, round_overhead the share of a round that is not the slowest worker's steps; both medians of rounds.

--exchange: seconds of a round beyond its steps and the driver's peak memory, two executor processes on this host, one step a round,
for each of --sizes and --kinds. The driver of a sliced exchange gets a heap of --driver-memory.

--precision: what train.exchange-precision costs and saves: the same training (tiny model, local moments, 10 steps a round) with fp32, bf16
and fp16; the loss is the mean of the last quarter's rounds, sent are the bytes of parameters that the workers send a round.

--rounds-long N: N rounds of a tiny model in one process, a checkpoint every 100; heap after a full collection, the process's memory without its heap, threads, open files
and Spark's files on disk are sampled all along: growth compares the last quarter's median with the second quarter's.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import frame

CARAVAN = frame.ROOT / "jobs/caravan"
SHAPES = {
    "tiny": dict(hidden=64, inter=172, layers=2, heads=4, kv=4, vocab=512),
    "15m-shape": dict(hidden=288, inter=768, layers=6, heads=6, kv=6, vocab=4096),
    "15m": dict(hidden=288, inter=768, layers=6, heads=6, kv=6, vocab=32000),
    "135m": dict(hidden=576, inter=1536, layers=30, heads=9, kv=3, vocab=49152),
    "360m": dict(hidden=960, inter=2560, layers=32, heads=15, kv=5, vocab=49152),
}
NAMES = dict(hidden="hidden-size", inter="intermediate-size", layers="num-hidden-layers", heads="num-attention-heads", kv="num-key-value-heads")


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run averaging", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchange", action="store_true")
    parser.add_argument("--precision", action="store_true")
    parser.add_argument("--rounds-long", type=int, default=0, metavar="N")
    parser.add_argument("--rounds", type=int, default=0, help="of each run (default: 5, of exchanges 6, of precisions 60)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of one and of two workers, in turn")
    parser.add_argument("--sizes", default="15m,135m", help="of " + ", ".join(SHAPES))
    parser.add_argument("--kinds", default="stock,sliced", help="of stock, sliced")
    parser.add_argument("--driver-memory", default="480m", help="heap of a sliced exchange's driver")
    parser.add_argument("--executor-memory", default="3g", help="heap of an executor; it bounds the memory beside the heap too, at twice")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of pretrain")
    return parser.parse_args()


def environment(**more):
    """What a shell sets for OpenBLAS is no part of a product."""
    return {**{key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_") and key != "SPARK_HOME"}, **more}


def tokens(work, vocab):
    """Token shards of the README; the manifest then claims a vocabulary of so many, which makes the model as large."""
    out, tokenizer = work / f"tokens-{vocab}", work / "tokenizer"
    if out.exists():
        return out
    if not tokenizer.exists():
        caravan(work, ["train-tokenizer", f"input={frame.ROOT}/README.md", f"output={tokenizer}", "train-tokenizer.vocab-size=512"])
    caravan(work, ["tokenize", f"input={frame.ROOT}/README.md", f"tokenizer={tokenizer}/tokenizer.model", f"output={out}"])
    manifest = out / "manifest.json"
    text = json.loads(manifest.read_text())
    text["extra"]["vocabSize"] = vocab
    manifest.write_text(json.dumps(text))
    return out


def caravan(work, command, variables=None, watch=None):
    """Runs a command to its end and returns what watched its process, stopped."""
    log = work / f"{command[0]}.log"
    with open(log, "w") as out:
        process = subprocess.Popen([str(CARAVAN), *map(str, command)], stdout=out, stderr=out, env=environment(**(variables or {})))
        watcher = watch(process.pid) if watch else None
        status = process.wait()
        if watcher:
            watcher.stop()
    if status != 0:
        raise RuntimeError(f"caravan {' '.join(map(str, command))}\nended with status {status}; the end of {log}:\n" + "".join(open(log).readlines()[-15:]))
    return watcher


def pretrain(work, shape, settings, variables=None, watch=None):
    """Trains, and returns the metrics of each round's last step."""
    s = SHAPES[shape]
    output = Path(tempfile.mkdtemp(prefix="run-", dir=work))
    keys = [f"model.{name}={s[key]}" for key, name in NAMES.items()]
    keys += [f"tokens={tokens(work, s['vocab'])}", f"output={output}", "resume=never", "train.warmup-steps=1", "train.engine=cpu", "train.threads=1"]
    keys += ["train.validation-steps=1000000", "train.checkpoint-steps=1000000"]
    watcher = caravan(work, ["pretrain", *keys, *settings], variables, watch)
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    subprocess.run(["rm", "-rf", output])
    return [line for line in lines if "timing" in line], watcher


def round_seconds(line):
    timing = line["timing"]
    return timing["compute_seconds"] + timing["wait_seconds"] + timing["exchange_seconds"]


class Driver(threading.Thread):
    """The peak resident memory of one process."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status, self.peak, self.ended = Path(f"/proc/{pid}/status"), 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.3):
            try:
                lines = dict(line.split(":", 1) for line in self.status.read_text().splitlines())
                self.peak = max(self.peak, int(lines["VmHWM"].split()[0]) * 1024)
            except (OSError, KeyError):
                pass  # it has ended since

    def stop(self):
        self.ended.set()
        self.join()


def speed(o, work):
    rates, overheads = {1: [], 2: []}, []
    rounds = o.rounds or 5
    for _ in range(o.repeats):
        for workers in (1, 2):
            settings = ["--master", "local[2]", f"train.workers={workers}", "train.averaging-steps=20", f"train.steps={20 * rounds}",
                        "train.batch-sequences=4", "train.sequence-length=256", "train.exchange=sliced", *o.set]
            lines, _ = pretrain(work, "15m-shape", settings)
            rates[workers] += [line["tokens_per_second"] for line in lines[2:]]
            if workers == 2:
                overheads += [line["timing"]["exchange_seconds"] / round_seconds(line) for line in lines[2:]]
    one, two = statistics.median(rates[1]), statistics.median(rates[2])
    frame.table(["workers", "tokens/s", "rounds"], [[1, f"{one:,.0f}", len(rates[1])], [2, f"{two:,.0f}", len(rates[2])]])
    frame.result(speedup_2_workers=two / one, round_overhead=statistics.median(overheads), tokens_per_second_1=one, tokens_per_second_2=two)


def exchange(o, work):
    spark = frame.venv("jobs/python/spark.txt") / "lib/python3.11/site-packages/pyspark"
    memory = int(o.executor_memory.rstrip("g")) * 1024
    rows, values = [], {}
    for size in o.sizes.split(","):
        for kind in o.kinds.split(","):
            settings = [f"--master=local-cluster[2,1,{memory}]", f"spark.executor.memory={o.executor_memory}", f"train.exchange={kind}", "train.workers=2",
                        "train.averaging-steps=1", f"train.steps={o.rounds or 6}", "train.batch-sequences=1", "train.sequence-length=16",
                        f"spark.driver.memory={o.driver_memory if kind == 'sliced' else '12g'}", f"spark.local.dir={work}", *o.set]
            try:
                lines, driver = pretrain(work, size, settings, dict(SPARK_HOME=str(spark)), Driver)
            except RuntimeError as e:
                print(e)
                rows.append([size, kind, "failed", "-", "-"])
                continue
            seconds = statistics.median(line["timing"]["exchange_seconds"] for line in lines[2:])
            rows.append([size, kind, f"{seconds:.2f}", f"{statistics.median(map(round_seconds, lines[2:])):.2f}", f"{driver.peak / 1e9:.2f} GB"])
            values[f"seconds_{kind}_{size}"] = seconds
            values[f"driver_gb_{kind}_{size}"] = driver.peak / 1e9
    frame.table(["size", "exchange", "seconds beyond steps", "seconds a round", "driver's peak"], rows)
    frame.result(**values)


def precision(o, work):
    rounds, rows, values = o.rounds or 60, [], {}
    for name, size in (("fp32", 4), ("bf16", 2), ("fp16", 2)):
        settings = ["--master", "local[2]", "train.workers=2", "train.averaging-steps=10", f"train.steps={10 * rounds}", "train.batch-sequences=4",
                    "train.sequence-length=64", "train.exchange=sliced", "train.moments=local", "train.learning-rate=0.003",
                    f"train.exchange-precision={name}", *o.set]
        lines, _ = pretrain(work, "tiny", settings)
        losses = [line["loss"] for line in lines[-(rounds // 4) :]]
        sent = 2 * size * parameters("tiny")
        seconds = statistics.median(line["timing"]["exchange_seconds"] for line in lines[2:])
        error = statistics.stdev(losses) / len(losses) ** 0.5
        rows.append([name, f"{statistics.mean(losses):.4f} ± {error:.4f}", f"{sent / 1e6:.2f} MB", f"{seconds:.3f}"])
        values |= {f"loss_{name}": statistics.mean(losses), f"sent_{name}": sent, f"seconds_{name}": seconds}
    frame.table(["precision", "loss", "sent", "seconds beyond steps"], rows)
    frame.result(**values)


def parameters(shape):
    """Of a model with tied embeddings."""
    s = SHAPES[shape]
    attention = s["hidden"] ** 2 * (2 + 2 * s["kv"] / s["heads"])
    return int(s["vocab"] * s["hidden"] + s["layers"] * (attention + 3 * s["hidden"] * s["inter"] + 2 * s["hidden"]) + s["hidden"])


class Growth(threading.Thread):
    """Samples what a JVM holds."""

    def __init__(self, pid, folder, seconds=5):
        super().__init__(daemon=True)
        self.pid, self.folder, self.seconds, self.samples, self.ended = pid, folder, seconds, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(self.seconds):
            try:
                self.samples.append(self.sample())
            except (OSError, IndexError, ValueError, AttributeError, StopIteration):
                pass  # not a JVM yet, or it has ended

    def beside_heap(self):
        """Kilobytes in memory outside of the heap's addresses."""
        info = subprocess.run(["jcmd", str(self.pid), "GC.heap_info"], capture_output=True, text=True, check=False).stdout
        first, end = (int(address, 16) for address in re.search(r"\[0x(\w+), 0x(\w+)\)", info).groups())
        total, counted = 0, False
        for line in Path(f"/proc/{self.pid}/smaps").read_text().splitlines():
            if mapping := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line):
                counted = not first <= int(mapping.group(1), 16) < end
            elif counted and line.startswith("Rss:"):
                total += int(line.split()[1])
        return total

    def sample(self):
        heap = subprocess.run(["jcmd", str(self.pid), "GC.class_histogram"], capture_output=True, text=True, check=False).stdout.splitlines()
        total = next(line for line in reversed(heap) if line.startswith("Total"))
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return dict(
            live_heap_mb=int(total.split()[2]) / 1e6,
            beside_heap_mb=self.beside_heap() / 1e3,
            threads=int(status["Threads"]),
            open_files=len(os.listdir(f"/proc/{self.pid}/fd")),
            spark_files=len(files),
        )

    def stop(self):
        self.ended.set()
        self.join()


def long(o, work):
    local = work / "spark"
    local.mkdir()
    settings = ["--master", "local[2]", "train.workers=2", "train.averaging-steps=1", f"train.steps={o.rounds_long}", "train.batch-sequences=1",
                "train.sequence-length=32", "train.checkpoint-steps=100", f"spark.local.dir={local}", "spark.driver.memory=1g", *o.set]
    start = time.monotonic()
    lines, growth = pretrain(work, "tiny", settings, watch=lambda pid: Growth(pid, local))
    seconds = time.monotonic() - start
    samples, rows, values = growth.samples, [], dict(rounds=len(lines), seconds_a_round=seconds / max(1, len(lines)))
    quarter = len(samples) // 4
    for key in samples[0]:
        early = statistics.median(sample[key] for sample in samples[quarter : 2 * quarter])
        late = statistics.median(sample[key] for sample in samples[-quarter:])
        rows.append([key, f"{early:,.1f}", f"{late:,.1f}", f"{late / max(early, 1e-9):.3f}"])
        values[key + "_growth"] = late / max(early, 1e-9)
    frame.table(["held", "second quarter", "last quarter", "ratio"], rows)
    frame.result(**values)


def main():
    o = options()
    with tempfile.TemporaryDirectory(prefix="averaging-") as folder:
        work = Path(folder)
        if o.rounds_long:
            long(o, work)
        elif o.precision:
            precision(o, work)
        elif o.exchange:
            exchange(o, work)
        else:
            speed(o, work)


if __name__ == "__main__":
    main()
