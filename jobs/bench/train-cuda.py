"""Our CUDA engine beside PyTorch on the same GPU in the same run.

Parts: checks (gradients and steps of everything the engine trains, against CpuEngine), sanitizer (the same under compute-sanitizer),
train (500 steps, same data and weights), speed (tokens/s and MFU at 135M, 1B and 3B parameters, memory by part, time by kernel), lora
(adapters of rank 16 at 1B, beside peft), decode. The peer of the others is peers/torch_llama.py: torch.compile, scaled_dot_product_attention,
fused AdamW. Needs a GPU, and a Python with PyTorch (--python). Neither Spark nor ND4J is used: --java and --classpath may name a
jlinked runtime (java.base, java.logging, java.management, jdk.incubator.vector, jdk.unsupported) and a few small jars.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
MAIN = "caravan.model.engine.cuda.CudaBench"
MEMORY = 3.35e12  # bytes per second (the same datasheet)
PEAK = 989e12  # dense bf16 of an H100 SXM, operations per second (NVIDIA's datasheet)

SHAPES = {
    "135M": dict(hidden=576, inter=1536, layers=30, heads=9, kv=3, dim=64, vocab=49152, context=2048, seq=2048),
    "1B": dict(hidden=2048, inter=8192, layers=16, heads=32, kv=8, dim=64, vocab=128256, context=2048, seq=2048),
    "3B": dict(hidden=3072, inter=8192, layers=28, heads=24, kv=8, dim=128, vocab=128256, context=2048, seq=2048),
}
BATCHES = {"135M": 16, "1B": 8, "3B": 4}
SMALL = dict(hidden=256, inter=688, layers=4, heads=4, kv=2, dim=64, vocab=1003, context=512, batch=3, seq=200)
TINY = dict(hidden=128, inter=200, layers=1, heads=2, kv=1, dim=64, vocab=203, context=256, batch=2, seq=150)
LEARNS = dict(hidden=384, inter=1024, layers=6, heads=6, kv=2, dim=64, vocab=256, context=256, batch=32, seq=256)


def options(*groups, **more):
    merged = {}
    for group in (*groups, more):
        merged.update(group)
    return [f"{key}={value}" for key, value in merged.items()]


def parameters(s):
    width = (s["heads"] + 2 * s["kv"]) * s["dim"]
    block = s["hidden"] * (width + s["heads"] * s["dim"] + 3 * s["inter"])
    return s["layers"] * block + s["vocab"] * s["hidden"]


def operations_per_token(s):
    """Forward and backward: 6 per weight of a matrix product, and causal attention's share, which sees half of the keys."""
    return 6 * parameters(s) + 6 * s["layers"] * s["heads"] * s["dim"] * s["seq"]


class Runner:
    def __init__(self, arguments):
        self.arguments = arguments
        self.log = open(arguments.out / "train-cuda.log", "w")

    def run(self, command, limit):
        """The JSON of the BENCH lines that a program prints; all it prints goes to the log."""
        self.log.write(f"$ {' '.join(map(str, command))}\n")
        try:
            done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit)
            text, ending = done.stdout, f"status {done.returncode}"
        except subprocess.TimeoutExpired as e:
            text, ending = (e.stdout or b"").decode() if isinstance(e.stdout, bytes) else e.stdout or "", f"no end within {limit} s"
        self.log.write(text + "\n")
        self.log.flush()
        found = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("BENCH ")]
        if not found:
            print(f"{command[0]} … {command[-1]}: {ending}: {' | '.join(text.splitlines()[-6:])}")
        return found, text

    def ours(self, part, settings, limit, *wrapper):
        a = self.arguments
        java = [a.java, "--add-modules", "jdk.incubator.vector", "-Xmx8g", "-Dorg.bytedeco.javacpp.maxbytes=0",
                "-Dorg.bytedeco.javacpp.maxphysicalbytes=0", "-cp", a.classpath, MAIN]
        return self.run([*wrapper, *java, part, *settings], limit)

    def peer(self, part, settings, limit):
        return self.run([self.arguments.python, BENCH / "peers/torch_llama.py", part, *settings], limit)


def checks(runner):
    """Gradients and steps beside CpuEngine in fp32; the difference is the largest of a tensor, relative to its norm."""
    found, text = runner.ours("checks", options(SMALL, threads=8, precisions=runner.arguments.precisions), 300)
    print_checks(found, text)
    return found


def print_checks(found, text):
    for f in found:
        worst = max(f["difference"], f["loss"])
        print(f"{f['precision']:5}{f['case']:42}{f['difference']:9.1e} ({f['tensor']}), losses {f['loss']:.1e}, "
              f"allowed {f['tolerance']:.1e}{'' if worst <= f['tolerance'] else '   FURTHER AWAY'}")
    if "Exception" in text:
        print(" | ".join(line for line in text.splitlines() if "Exception" in line))


def sanitizer(runner):
    """compute-sanitizer over every check, of a model small enough to run under it."""
    result = {}
    for tool in runner.arguments.tools.split(","):
        found, text = runner.ours("checks", options(TINY, threads=2, precisions="bf16"), 400, "compute-sanitizer", "--tool", tool)
        summary = [line for line in text.splitlines() if "SUMMARY" in line]
        result[tool] = summary[-1].replace("=", "").strip() if summary else "no summary"
        print(f"compute-sanitizer {tool}, {len(found)} checks: {result[tool]}")
        if "Exception" in text:
            print(" | ".join(line for line in text.splitlines() if "Exception" in line))
    return result


def train(runner):
    """Bytes of a text as tokens, random windows of it."""
    a = runner.arguments
    text = Path(a.text).read_bytes()
    order = random.Random(1)
    data, weights = a.work / "batches.i32", a.work / "weights.f32"
    with open(data, "wb") as out:
        for _ in range(a.steps * LEARNS["batch"]):
            at = order.randrange(len(text) - LEARNS["seq"] - 1)
            out.write(b"".join(byte.to_bytes(4, "little") for byte in text[at:at + LEARNS["seq"] + 1]))
    same = dict(steps=a.steps, data=data, decay=0.1)
    ours, _ = runner.ours("train", options(LEARNS, same, weights=weights, precision="bf16"), 200)
    peer, _ = runner.peer("train", options(LEARNS, same, weights_file=weights), 300)
    if not ours or not peer:
        return {}
    mine, theirs = ours[0]["losses"], peer[0]["losses"]
    print("step      ours   PyTorch  (loss in nats per byte, same data and initial weights)")
    for step in [0, 1, 9, 49, 99, 199, 299, 399, a.steps - 1]:
        if step < a.steps:
            print(f"{step + 1:4d}  {mine[step]:8.4f}  {theirs[step]:8.4f}")
    last = min(50, a.steps)
    end = [sum(losses[-last:]) / last for losses in (mine, theirs)]
    apart = max(abs(x - y) for x, y in zip(mine, theirs))
    print(f"mean of the last {last}: {end[0]:.4f} and {end[1]:.4f}; largest difference of a step: {apart:.4f}")
    return {"ours": mine, "peer": theirs, "norms": [ours[0]["norms"], peer[0]["norms"]]}


def speed(runner):
    result = {}
    print(f"{'shape':6}{'batch':>8} {'engine':28}{'tokens/s':>10}{'ms/step':>10}{'MFU':>8}{'GiB':>7}")
    for name in runner.arguments.shapes.split(","):
        shape, batch = SHAPES[name], BATCHES[name]
        recompute = "block" if name == "3B" else "none"
        settings = options(shape, batch=batch, steps=20 if name == "135M" else 10, recompute=recompute)
        ours, text = runner.ours("speed", [*settings, "precision=bf16"], 240)
        rows = [("ours", ours)]
        for weights in filter(None, runner.arguments.peers.split(",")):
            rows.append((f"PyTorch {weights}", runner.peer("speed", [*settings, f"weights={weights}"], 240)[0]))
        for engine, found in rows:
            if found:
                f = found[0]
                mfu = f["tokens_per_second"] * operations_per_token(shape) / PEAK
                memory = f["memory"].get("peak", sum(f["memory"].values())) / 2**30
                print(f"{name:6}{batch:4}×{shape['seq']} {engine:27}{f['tokens_per_second']:11.0f}{f['milliseconds_per_step']:10.2f}"
                      f"{100 * mfu:7.1f}%{memory:7.1f}")
                result[f"{name} {engine}"] = {**f, "mfu": mfu}
        print_parts(runner, ours, text)
    return result


def print_parts(runner, ours, text):
    if ours:
        print("  memory by part, MiB: " + ", ".join(f"{k} {v >> 20}" for k, v in ours[0]["memory"].items() if v >> 20))
        table = text[text.find("time by kernel"):].splitlines()[:runner.arguments.kernels + 1]
        print("\n".join("  " + line for line in table))


def lora(runner):
    """Steps of adapters beside a frozen base of 1B weights, beside peft's; speed says what training all of it takes."""
    settings = options(SHAPES["1B"], batch=BATCHES["1B"], steps=10, recompute="none", rank=16)
    ours, text = runner.ours("speed", [*settings, "precision=bf16"], 240)
    peer, _ = runner.run([runner.arguments.python, BENCH / "peers/torch_lora.py", *settings], 240)
    result = {}
    for engine, rows in (("ours", ours), ("peft", peer)):
        if rows:
            f = rows[0]
            memory = f["memory"].get("peak", sum(f["memory"].values())) / 2**30
            print(f"LoRA 1B, rank 16, {engine:5}{f['tokens_per_second']:8.0f} tokens/s {f['milliseconds_per_step']:8.2f} ms/step {memory:6.1f} GiB, "
                  f"{f['parameters']} trained")
            result[engine] = f
    print_parts(runner, ours, text)
    return result


def decode(runner):
    """Greedy; the share of the memory's rate counts each weight once per token."""
    result = {}
    for name in ("135M", "1B"):
        settings = options(SHAPES[name], prompt=128, tokens=256)
        found, text = runner.ours("decode", [*settings, "precision=bf16"], 120)
        peer, _ = runner.peer("decode", settings, 200)
        for engine, rows in (("ours", found), ("PyTorch", peer)):
            if rows:
                rate = rows[0]["tokens_per_second"]
                result[f"{name} {engine}"] = rows[0]
                print(f"decode {name:5}{engine:8}{rate:7.0f} tokens/s, {2 * parameters(SHAPES[name]) * rate / MEMORY:.0%} of the memory's rate; {rows[0]}")
        print("\n".join("  " + line for line in text[text.find("time by kernel"):].splitlines()[:9]))
    return result


PARTS = {"checks": checks, "train": train, "speed": speed, "lora": lora, "decode": decode, "sanitizer": sanitizer}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--shapes", default=",".join(SHAPES), help="of " + ", ".join(SHAPES))
    parser.add_argument("--precisions", default="fp32,tf32,bf16", help="of the checks")
    parser.add_argument("--tools", default="memcheck,racecheck", help="of compute-sanitizer")
    parser.add_argument("--peers", default="autocast,bf16", help="how the peer keeps weights: autocast (fp32), bf16 (and fp32 masters)")
    parser.add_argument("--steps", type=int, default=500, help="of the loss curve")
    parser.add_argument("--text", default=BENCH.parents[1] / "README.md", help="file whose bytes the loss curve learns")
    parser.add_argument("--kernels", type=int, default=12, help="rows of the table of kernels to print; all go to the log")
    parser.add_argument("--java", default="java")
    parser.add_argument("--classpath", default=str(BENCH.parents[1] / "jobs/target/caravan.jar"))
    parser.add_argument("--python", default="python3", help="with PyTorch")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of train-cuda.log and train-cuda.json")
    parser.add_argument("--work", type=Path, default=Path("/tmp"), help="folder for data")
    arguments = parser.parse_args()
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(query, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"train-cuda: no NVIDIA GPU here ({e}); run it on a machine with one")
    runner = Runner(arguments)
    print(gpu)
    result = {"gpu": gpu}
    for part in arguments.parts.split(","):
        result[part] = PARTS[part](runner)
        with open(arguments.out / "train-cuda.json", "w") as out:
            json.dump(result, out)
    short = {k: v for k, v in result.items() if k != "train"}
    print("RESULT " + json.dumps(short))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
