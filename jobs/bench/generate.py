"""jobs/bench/run generate [--model GGUF] …: decoding and prefill beside llama.cpp and llama2.c, on the same weights, with 1 and 2 threads.

The weights are a GGUF file's, or random ones of a shape with 110M parameters (12 layers of 768, 12 heads, 32,000 ids). Our export
writes them for the peers: GGUF in F32 and Q8_0, llama2.c's version 0 (whose rotary base and epsilon may differ from the model's: that
costs no time; without grouped-query attention, which this run.c lacks). llama.cpp is compiled for this machine from llama-cpp-python's source distribution on first use (ten minutes),
llama2.c's run.c, as PyPI's llamac2py carries it, by gcc with its fast flags.

Every side is a process of its own, in turn in each round; in it, after one pass that is not timed, --passes more: a prompt of
--prompt random ids, and --tokens greedy ones. The table has the medians of all passes. GB/s is the weights that decoding reads, the share
what prefill's matrix products are of the fastest fp32 products that this machine reached, on as many threads (bf16 may pass 100 %).

--first-token measures the time from the start of a process to the first token of a short prompt instead, weights in the page cache: ours is
jobs/caravan generate of the model as import writes it, llama.cpp's a Python process that loads the F32 file. It needs a --model with a tokenizer.
"""

import argparse
import json
import os
import re
import shutil
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
FAST = ["gcc", "-Ofast", "-march=native", "-fopenmp"]
# What jobs/caravan sets.
OURS = {"OMP_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# Bytes per weight of a matrix.
SIDES = {
    "f32": ("ours", 4),
    "bf16": ("ours", 2),
    "q8_0": ("ours", 1.125),
    "llama2.c": ("llama2c", 4),
    "llama.cpp-f32": ("llama_cpp", 4),
    "llama.cpp-q8_0": ("llama_cpp", 1.0625),
}


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run generate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a GGUF file of a Llama (default: random weights of the 110M shape)")
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default: 1,2)")
    parser.add_argument("--sides", default=",".join(SIDES), help="which of " + ", ".join(SIDES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=3, help="timed ones of each process")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the prompt; 0: decoding alone")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--first-token", action="store_true", help="the time to the first token instead")
    parser.add_argument("--work", type=Path, help="folder for the weights, kept for the next run (default: a temporary one)")
    return parser.parse_args()


def java(*arguments):
    """Our side, with the flags that the launcher reads from the parent pom."""
    flags = re.search(r"<jvm\.flags>(.*)</jvm\.flags>", (frame.ROOT / "pom.xml").read_text())[1].split()
    classpath = f"{(TARGET / 'spark.classpath').read_text().strip()}:{TARGET / 'caravan.jar'}"
    return ["java", *flags, "-Xmx3g", "-cp", classpath, frame.ROOT / "jobs/bench/Decodes.java", *arguments]


def output(command, **more):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS_", "OMP_", "GLIBC_"))}
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env={**environment, **more.pop("env", {})}, **more)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))}\nended with status {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def llama2c(work, python, shape):
    """Compiles run.c; its tokenizer.bin needs a text for each id."""
    if not (work / "llama2c").exists():
        output([python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "-r", frame.ROOT / "jobs/python/llama2c.txt", "-d", work])
        archive = next(work.glob("llamac2py-*.tar.gz"))
        subprocess.run(["tar", "-xzf", archive, "--strip-components=1", "-C", work, "--wildcards", "*/run.c"], check=True)
        output([*FAST, "-o", work / "llama2c", work / "run.c", "-lm"])
    entry = b"\0\0\0\0\x01\0\0\0x"  # score 0, one byte
    (work / "tokenizer.bin").write_bytes(b"\x01\0\0\0" + entry * shape["vocabulary"])


def weights(o, work):
    shape = work / "shape.json"
    if not shape.exists():
        shape.write_text(output(java("write", work, *([o.model.absolute()] if o.model else []))))
    return json.loads(shape.read_text())


def passes(side, threads, o, work, python):
    """Seconds of each pass as {prefill, decode}."""
    kind, _ = SIDES[side]
    counts = [threads, o.prompt, o.tokens, o.passes]
    if kind == "ours":
        return lines(output(java("run", work / "f32.gguf", side, *counts), env=OURS))
    if kind == "llama_cpp":
        return lines(output([python, PEERS / "llama_cpp_decode.py", work / f"{side.split('-')[1]}.gguf", *counts]))
    found = []
    for _ in range(o.passes):
        said = output([work / "llama2c", work / "llama2c.bin", "0", o.tokens + 1], cwd=work, env={"OMP_NUM_THREADS": str(threads)})
        found.append({"decode": o.tokens / float(re.search(r"achieved tok/s: ([\d.]+)", said)[1]), "prefill": 0})
    return found


def run(o, work):
    subprocess.run([frame.ROOT / "jobs/caravan", "--version"], check=True, stdout=subprocess.DEVNULL)  # builds the jar
    (first_token if o.first_token else measure)(o, work)


def measure(o, work):
    python = frame.venv("jobs/python/llama_cpp.txt") / "bin/python"
    shape = weights(o, work)
    llama2c(work, python, shape)
    threads = [int(n) for n in o.threads.split(",")]
    sides = o.sides.split(",")
    heads, groups = struct.unpack_from("<ii", (work / "llama2c.bin").open("rb").read(28), 12)
    if "llama2.c" in sides and heads != groups:
        print(f"llama2.c is left out: that version of run.c knows no grouped keys and values ({heads} heads, {groups} of them)", file=sys.stderr, flush=True)
        sides.remove("llama2.c")
    found = {}
    for number in range(o.rounds):
        for n in threads:
            for side in sides:
                found.setdefault((side, n), []).extend(passes(side, n, o, work, python))
                fastest = min(p["decode"] for p in found[side, n])
                print(f"round {number + 1}: {side}, {n} threads: at best {o.tokens / fastest:.1f} tokens/s", file=sys.stderr, flush=True)
    peak = lines(output(java("peak"), env=OURS))[0]["gflops"]
    report(o, shape, found, peak)


def first_token(o, work):
    """Wall seconds of processes that say one token, in turn."""
    if not o.model:
        sys.exit("bench: --first-token: got no --model, wanted a GGUF file with a tokenizer")
    caravan = frame.ROOT / "jobs/caravan"
    python = frame.venv("jobs/python/llama_cpp.txt") / "bin/python"
    weights(o, work)
    imported = work / "imported"
    if not imported.exists():
        output([caravan, "import", f"input={o.model.absolute()}", f"output={imported}"])
    commands = {
        "ours": [caravan, "generate", f"checkpoint={imported}", "prompt=The capital of France is", "max-tokens=1", "temperature=0"],
        "llama.cpp": [python, PEERS / "llama_cpp_decode.py", work / "f32.gguf", os.cpu_count(), 5, 0, 0],
    }
    for command in commands.values():
        output(command)  # brings files into memory; ours records its classes
    seconds = {name: [] for name in commands}
    for _ in range(o.rounds * o.passes):
        for name, command in commands.items():
            started = time.monotonic()
            output(command)
            seconds[name].append(time.monotonic() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"from the start of the process to the end of the first token; medians of {o.rounds * o.passes}")
    frame.table(["", "seconds", "least"], [[name, f"{medians[name]:.2f}", f"{min(seconds[name]):.2f}"] for name in commands])
    frame.result(bench="generate", first_token_s=medians["ours"], llama_cpp_first_token_s=medians["llama.cpp"])


def report(o, shape, found, peak):
    speeds = {}
    rows = []
    for (side, n), runs in sorted(found.items(), key=lambda item: (item[0][1], list(SIDES).index(item[0][0]))):
        decode = o.tokens / statistics.median(run["decode"] for run in runs)
        prefill = statistics.median(run["prefill"] for run in runs)
        speeds[f"{side}_{n}_decode"] = decode
        row = [side, n, f"{decode:.1f}", f"{decode * shape['parameters'] * SIDES[side][1] / 1e9:.1f}", "", ""]
        if prefill:
            speeds[f"{side}_{n}_prefill"] = o.prompt / prefill
            operations = 2 * (shape["parameters"] - shape["embedding"]) * o.prompt / prefill
            row[4:] = [f"{o.prompt / prefill:.0f}", f"{operations / 1e9 / (peak * n):.0%}"]
        rows.append(row)
    print(f"{shape['parameters']:,} parameters; {o.tokens} tokens after one, prompts of {o.prompt}; medians of {len(next(iter(found.values())))} passes; fp32 products {peak:.0f} GFLOP/s a thread")
    frame.table(["weights", "threads", "decode, tokens/s", "GB/s", "prefill, tokens/s", "of peak"], rows)
    first = {side: next(run["ids"] for (s, _), all in found.items() for run in all if s == side and "ids" in run) for side in {s for s, _ in found} if side != "llama2.c"}
    if {"f32", "llama.cpp-f32"} <= first.keys():
        same = sum(a == b for a, b in zip(first["f32"], first["llama.cpp-f32"]))
        print(f"greedy ids in fp32: {same} of the first 16 are llama.cpp's")
    ratios = {}
    for key, (ours, peer) in {
        "f32_llama_cpp": ("f32", "llama.cpp-f32"),
        "f32_llama2c": ("f32", "llama2.c"),
        "bf16_f32": ("bf16", "f32"),
        "bf16_llama_cpp_f32": ("bf16", "llama.cpp-f32"),
        "q8_0_llama_cpp": ("q8_0", "llama.cpp-q8_0"),
    }.items():
        for n in {n for _, n in found}:
            for what in ("decode", "prefill"):
                if f"{ours}_{n}_{what}" in speeds and f"{peer}_{n}_{what}" in speeds:
                    ratios[f"ratio_{key}_{n}_{what}"] = speeds[f"{ours}_{n}_{what}"] / speeds[f"{peer}_{n}_{what}"]
    frame.result(bench="generate", parameters=shape["parameters"], peak_gflops=peak, **ratios, **speeds)


def main():
    o = options()
    if o.work:
        o.work.mkdir(parents=True, exist_ok=True)
        run(o, o.work.absolute())
        return
    work = Path(tempfile.mkdtemp(prefix="caravan-bench-"))
    try:
        run(o, work)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
