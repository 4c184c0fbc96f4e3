"""jobs/bench/run train-step [--shapes 15m,260k] [--threads 2,1] …: training steps (forward, backward, clipping, AdamW) of the CPU
engine as a Deeplearning4j graph beside PyTorch's on the same CPU: eager with fused attention and AdamW, torch.compile, bf16 autocast.

Every side is a process of its own that is started and warmed up once and then takes blocks of steps when it is asked to, the sides
in turn, each alone; a side's speed is the median of its blocks. "of peak" is the operations that a step needs (6 per weight and
token, and causal attention's half) over the fastest product of matrices that either side reached in this run, in the same precision.
"MB" is a process's largest resident memory, "told MB" what our training says beforehand that parameters, gradient, moments, activations,
logits and threads take outside Java's heap, "heap kB/step" what a warm step asks of the heap.

--lora measures adapters (rank 8, all projections) beside a frozen base in fp32, Q8_0 and bf16 (with products in bf16), beside our own
training of all parameters and beside PEFT on PyTorch eager.

--curve trains fresh weights in fp32 and in bf16 on the same text instead and compares the losses.
"""

import argparse
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import frame

PEERS = frame.ROOT / "jobs/bench/peers"
TARGET = frame.ROOT / "jobs/target"
REQUIREMENTS = "jobs/python/torch.txt"

SMALL = dict(hidden=288, inter=768, layers=6, heads=6, kv=6, dim=48, vocab=4096, seq=256, batch=4)
SHAPES = {
    "15m": SMALL,
    "15m_b8": dict(SMALL, batch=8),
    "15m_v32k": dict(SMALL, vocab=32000),
    "260k": dict(hidden=64, inter=172, layers=5, heads=8, kv=4, dim=8, vocab=512, seq=256, batch=8),
    "110m": dict(hidden=768, inter=2048, layers=12, heads=12, kv=12, dim=64, vocab=32000, seq=256, batch=4),
}
OURS = {"fp32": "cpu:fp32", "bf16": "cpu:bf16"}
PEERS_OF = {"fp32": ("eager", "compile"), "bf16": ("autocast",)}
# With --lora: how our sides train. Their ratio is over full training in the same precision, PEFT's is lora's over it.
LORA = {
    "lora": dict(engine="cpu:fp32", lora=8, base="F32"),
    "lora_q8_0": dict(engine="cpu:fp32", lora=8, base="Q8_0"),
    "lora_bf16": dict(engine="cpu:bf16", lora=8, base="BF16"),
}
LORA_PEERS = {"lora": ("peft",), "lora_q8_0": (), "lora_bf16": ()}
PEFT = "model/src/test/python/requirements.txt"
CURVE = dict(hidden=128, inter=352, layers=4, heads=4, kv=2, dim=32, vocab=256, seq=128, batch=8)


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run train-step", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(SHAPES), help="of " + ", ".join(SHAPES))
    parser.add_argument("--threads", default=str(min(2, os.cpu_count())), help="thread counts, such as 2,1")
    parser.add_argument("--sides", help="of fp32, eager, compile, bf16, autocast (default: all, at 110m without compile)")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each side")
    parser.add_argument("--seconds", type=float, default=0.7, help="length of a block, at least one step")
    parser.add_argument("--warm", type=float, default=6, help="seconds of steps before the first block of a JVM")
    parser.add_argument("--java", default="", help="options for the JVM")
    parser.add_argument("--lora", action="store_true", help="adapters beside full training instead: fp32, lora, lora_q8_0, bf16, lora_bf16, peft")
    parser.add_argument("--curve", action="store_true", help="loss curves of fp32 and bf16 instead")
    parser.add_argument("--steps", type=int, default=500, help="of a loss curve")
    parser.add_argument("--text", type=Path, default=frame.ROOT / "README.md", help="file whose bytes the loss curve learns")
    return parser.parse_args()


def parameters(s):
    block = s["hidden"] * ((2 * s["heads"] + 2 * s["kv"]) * s["dim"] + 3 * s["inter"])
    return s["layers"] * block + s["vocab"] * s["hidden"]


def operations_per_token(s):
    return 6 * parameters(s) + 6 * s["layers"] * s["heads"] * s["dim"] * s["seq"]


class Side:
    """A process that takes steps when asked."""

    def __init__(self, name, command, log):
        # What a shell sets for OpenBLAS is no part of a product: both sides choose their kernels themselves.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        if name in OURS:
            environment["OMP_NUM_THREADS"] = "1"  # as jobs/caravan does
        self.name, self.log = name, log
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(log, "w"), text=True, bufsize=1, env=environment)
        self.memory = frame.MemoryOf(self.process.pid)
        self.seconds, self.cpu, self.heap = [], [], []
        if self.answer() != "ready":
            self.fail()

    def answer(self):
        while True:
            line = self.process.stdout.readline()
            if not line:
                self.fail()
            word = line.strip()
            if word == "ready" or word[:1].isdigit():
                return word

    def fail(self):
        self.process.kill()
        sys.exit(f"bench: {self.name} ended:\n" + "".join(open(self.log).readlines()[-15:]))

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        return self.answer()

    def warm_up(self, seconds, block):
        """Runs steps for so long, at least three, and settles how many steps make a block."""
        end = time.monotonic() + seconds
        times = []
        while len(times) < 3 or time.monotonic() < end:
            times.append(float(self.ask("block 1")))
        self.steps = max(1, round(block / statistics.median(times[-5:])))

    def block(self):
        before, heap = cpu_seconds(self.process.pid), self.heap_bytes()
        self.seconds.append(float(self.ask(f"block {self.steps}")) / self.steps)
        self.cpu.append((cpu_seconds(self.process.pid) - before) / self.steps)
        self.heap.append((self.heap_bytes() - heap) / self.steps)

    def heap_bytes(self):
        """Bytes of Java's heap that all steps so far asked for; the peer has none."""
        return float(self.ask("heap")) if self.name in OURS else 0

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        return self.memory.stop()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settings_of(side):
    return LORA.get(side) or dict(engine=OURS[side])


def ours(precision, shape, threads, java):
    classpath = f"{(TARGET / 'spark.classpath').read_text().strip()}:{TARGET / 'caravan.jar'}"
    settings = [f"{key}={value}" for key, value in dict(shape, threads=threads, **settings_of(precision)).items()]
    return ["java", *java.split(), "-Xmx2g", "--add-modules", "jdk.incubator.vector",
            "--add-exports=java.base/jdk.internal.vm.vector=ALL-UNNAMED", "-cp", classpath, frame.ROOT / "jobs/bench/TrainSteps.java", *settings]


def peer(mode, shape, threads):
    settings = [f"{key}={value}" for key, value in dict(shape, threads=threads).items()]
    return [frame.venv(PEFT if mode == "peft" else REQUIREMENTS) / "bin/python", PEERS / "torch_train_step.py", mode, *settings]


def names_of(o, shape):
    known = list(dict.fromkeys(name for precision in OURS for name in (precision, *PEERS_OF[precision])))
    chosen = o.sides.split(",") if o.sides else [name for name in known if not (shape == "110m" and name == "compile")]
    if set(chosen) - set(known):
        sys.exit(f"bench: --sides: got {o.sides}, wanted some of {', '.join(known)}")
    return chosen


def measure(o, name, threads, work):
    """One shape at one number of threads: its rows of the table and its part of the result."""
    shape = SHAPES[name]
    sides = []
    for side in names_of(o, name):
        command = ours(side, shape, threads, o.java) if side in OURS else peer(side, shape, threads)
        sides.append(Side(side, command, work / f"{side}.log"))
        sides[-1].warm_up(o.warm if side in OURS else 0, o.seconds)
    for _ in range(o.rounds):
        for side in sides:
            side.block()
    peak = {precision: max(float(side.ask(f"peak {bits}")) for side in sides) for precision, bits in (("fp32", 32), ("bf16", 16))}
    for side in sides:
        side.told = float(side.ask("told")) if side.name in OURS else None
    memory = {side.name: side.stop() for side in sides}
    return report(name, threads, sides, peak, memory)


def report(name, threads, sides, peak, memory):
    shape = SHAPES[name]
    tokens = shape["batch"] * shape["seq"]
    speed = {side.name: tokens / statistics.median(side.seconds) for side in sides}
    rows, values = [], {}
    suffix = name if threads == max(THREADS) else f"{name}_{threads}thread"
    for side in sides:
        precision = next(p for p in OURS if side.name == p or side.name in PEERS_OF[p])
        share = speed[side.name] * operations_per_token(shape) / 1e9 / peak["bf16" if "bf16" in precision else "fp32"]
        ratio = speed[precision] / speed[side.name] if precision in speed and side.name not in OURS else None
        full = "bf16" if side.name == "lora_bf16" else "fp32"
        if side.name in LORA and full in speed:
            ratio = speed[side.name] / speed[full]
        if ratio:
            values["ratio_" + ("" if side.name == "eager" else side.name + "_") + suffix] = ratio
        rows.append([name, threads, side.name, f"{speed[side.name]:,.0f}", f"{1e3 * tokens / speed[side.name]:.1f}",
                     f"{tokens / statistics.median(side.cpu):,.0f}", f"{share:.0%}", f"{memory[side.name] / 1e6:,.0f}", *(("", "") if side.name not in OURS else (f"{side.told / 1e6:,.0f}", f"{statistics.median(side.heap) / 1e3:,.1f}")),
                     f"{ratio:.2f}" if ratio else ""])
        values[f"tokens_per_second_{side.name}_{suffix}"] = speed[side.name]
        values[f"memory_mb_{side.name}_{suffix}"] = memory[side.name] / 1e6
        if side.name in OURS:
            values[f"told_mb_{side.name}_{suffix}"] = side.told / 1e6
            values[f"heap_bytes_per_step_{side.name}_{suffix}"] = statistics.median(side.heap)
    values[f"peak_fp32_{suffix}"] = peak["fp32"]
    values[f"peak_bf16_{suffix}"] = peak["bf16"]
    return rows, values


def curve(o, work):
    """Fresh weights on the same windows of a text, in each of our precisions."""
    text, order = o.text.read_bytes(), random.Random(1)
    data = work / "sequences.i32"
    length = CURVE["seq"] + 1
    with open(data, "wb") as out:
        for _ in range(o.steps * CURVE["batch"]):
            at = order.randrange(len(text) - length)
            out.write(struct.pack(f"<{length}i", *text[at:at + length]))
    losses = {}
    for precision in OURS:
        command = ours(precision, CURVE, max(THREADS), o.java)
        side = Side(precision, command, work / f"{precision}.log")
        losses[precision] = [float(word) for word in side.ask(f"learn {data} {o.steps}").split()]
        side.stop()
    rows = [[step + 1, *(f"{losses[p][step]:.4f}" for p in OURS)] for step in range(0, o.steps, max(1, o.steps // 10))]
    last = max(1, o.steps // 10)
    ends = {p: statistics.mean(losses[p][-last:]) for p in OURS}
    noise = statistics.stdev(losses["fp32"][-last:]) / last**0.5
    frame.table(["step", *OURS], [*rows, [f"mean of last {last}", *(f"{ends[p]:.4f}" for p in OURS)]])
    print(f"standard error of such a mean, from fp32's steps: {noise:.4f}")
    frame.result(bench="train-step", noise=noise, **{f"loss_{p}": ends[p] for p in OURS})


def main():
    o = options()
    global THREADS
    THREADS = [int(word) for word in o.threads.split(",")]
    if o.lora:
        OURS.update({name: settings["engine"] for name, settings in LORA.items()})
        PEERS_OF.clear()
        PEERS_OF.update({"fp32": (), "bf16": (), **LORA_PEERS})
    subprocess.run([frame.ROOT / "jobs/caravan", "--version"], check=True, stdout=subprocess.DEVNULL)  # builds the jar
    with tempfile.TemporaryDirectory(prefix="caravan-bench-") as folder:
        work = Path(folder)
        if o.curve:
            return curve(o, work)
        rows, values = [], {}
        for threads in THREADS:
            for name in o.shapes.split(","):
                if name not in SHAPES:
                    sys.exit(f"bench: --shapes: got {name}, wanted some of {', '.join(SHAPES)}")
                more, found = measure(o, name, threads, work)
                print("  ".join(f"{row[2]} {row[3]}" for row in more) + f" tokens/s: {name}, {threads} threads", file=sys.stderr, flush=True)
                rows += more
                values |= found
    print(f"medians of {o.rounds} blocks; a ratio is our speed over that side's")
    frame.table(["shape", "threads", "side", "tokens/s", "ms/step", "tokens/CPU-s", "of peak", "MB", "told MB", "heap kB/step", "ratio"], rows)
    frame.result(bench="train-step", **values)


if __name__ == "__main__":
    main()
