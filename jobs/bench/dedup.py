"""jobs/bench/run dedup [--corpus DIR [--truth FILE]] …: `caravan dedup` beside datatrove 0.10.1's four MinHash stages.

A corpus is a folder with en/*.jsonl and zh/*.jsonl, a JSON object with id and text on each line; the truth has a JSON object
per planted cluster on each line: lang, kind (exact or near), ids, pairs ([i, j, Jaccard] for near ones). Without a corpus one
is made of the texts of the quickstart's packages, with planted duplicates whose Jaccard similarity is counted.

Ours takes both languages in one run, datatrove one language a run, as its tokenizers want. CPU-seconds count all processes
from start to end, Spark's start included. "marginal" is what more text costs once a program runs: for ours several corpora less
one, the others with the same duplicates in other words; for datatrove all of the corpus less its first part. Recall is of pairs, by their true Jaccard similarity; precision is the share of what was removed that is at least
0.7 similar to another document of its planted cluster. "band hit rate" is the share of planted pairs that share a bucket of the
bands proper, beside 1-(1-s^r)^b.

--skew runs ours alone, on the corpus and on the same corpus with documents made alike: see corpora/skewed.py. A factor of
CPU-seconds below 2 says that skew costs little.

--memory runs ours alone, on the corpus once, four and eight times over in other letters, in 4 GB on two cores. The heap is what
is live after full collections, which are forced every two seconds and cost CPU-seconds, too. The median says what the run
holds; the most what its tasks had in their buffers at one time, which have bounds and are full once a task reads tens of MB.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import frame
from corpora import multiplied, skewed
from corpora.planted import planted_corpus

REQUIREMENTS = "jobs/python/datatrove.txt"
LANGUAGES = ("en", "zh")
FILES = 4  # per language, so that both cores have work to the end
PEERS = frame.ROOT / "jobs/bench/peers"


def options():
    parser = argparse.ArgumentParser(prog="jobs/bench/run dedup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with en/*.jsonl and zh/*.jsonl (default: one with planted duplicates is made)")
    parser.add_argument("--truth", type=Path, help="the planted clusters of --corpus")
    parser.add_argument("--mb", type=float, default=12, help="MB of each language that both sides read, at most")
    parser.add_argument("--part", type=float, default=0.25, help="share of it that the marginal cost leaves out, 0 to 1")
    parser.add_argument("--times", type=int, default=8, help="our marginal cost is that of so many corpora beyond the first, of other words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skew", choices=skewed.KINDS, help="ours on a corpus with documents made alike, beside ours on the corpus")
    parser.add_argument("--memory", action="store_true", help="ours on once, four and eight times the corpus: what is live on the heap")
    parser.add_argument("--work", type=Path, help="folder for inputs and outputs (default: a temporary one)")
    return parser.parse_args()


def copy(source, target, limit):
    """The first megabytes of a language, in files of equal size; returns bytes and ids."""
    target.mkdir(parents=True)
    outputs = [open(target / f"{i}.jsonl", "wb") for i in range(FILES)]
    written, ids = 0, set()
    for file in sorted(source.glob("*.jsonl")):
        for line in open(file, "rb"):
            if written >= limit:
                break
            outputs[len(ids) % FILES].write(line)
            written += len(line)
            ids.add(json.loads(line)["id"])
    for out in outputs:
        out.close()
    if not ids:
        sys.exit(f"bench: no *.jsonl with a line in {source}")
    return written, ids


def ours(folders, output, watch=None, **environment):
    inputs = ",".join(f'"{folder}/*.jsonl"' for folder in folders)
    command = [frame.ROOT / "jobs/caravan", "dedup", "--master", "local[2]", "--force", "read.id-field=id", "spark.driver.memory=4g"]
    shutil.rmtree(output, ignore_errors=True)
    return frame.run([*command, f"input=[{inputs}]", f"output={output}"], f"{output}.log", watch, **environment)


def datatrove(python, language, folder, output):
    shutil.rmtree(output, ignore_errors=True)
    return frame.run([python, PEERS / "datatrove_minhash.py", language, folder, output, FILES, 2], f"{output}.log")


def removed(python, output):
    """Ids that a side removed."""
    done = subprocess.run([python, PEERS / "dedup_removed.py", output], stdout=subprocess.PIPE, text=True, check=True)
    return set(json.loads(done.stdout))


def quality(truth, language, ids, gone):
    """Recall by true similarity and precision, of planted duplicates that are all in the corpus."""
    bands, nearest = {}, {}
    for cluster in map(json.loads, open(truth)):
        members = cluster["ids"]
        if cluster["lang"] != language or not ids.issuperset(members):
            continue
        exact = cluster["kind"] == "exact"
        pairs = [[i, j, 1.0] for j in range(len(members)) for i in range(j)] if exact else cluster["pairs"]
        for i, j, similarity in pairs:
            for member in (members[i], members[j]):
                nearest[member] = max(nearest.get(member, 0), similarity)
        if exact:
            band, found, planted = "exact", min(sum(m in gone for m in members), len(members) - 1), len(members) - 1
        elif len(members) == 2:
            band = f"{min(int(pairs[0][2] * 10 + 1e-9), 9) / 10:.1f}"
            found, planted = int(any(m in gone for m in members)), 1
        else:
            continue
        sums = bands.setdefault(band, [0, 0])
        sums[0] += found
        sums[1] += planted
    judged = [nearest[i] for i in gone if i in nearest]
    right = sum(similarity >= 0.7 for similarity in judged)
    return {b: found / planted for b, (found, planted) in sorted(bands.items())}, right / max(1, len(judged)), sum(n for _, n in bands.values())


def measure(o, work, source, truth):
    size, ids = {}, {}
    for language in LANGUAGES:
        size[language], ids[language] = copy(source / language, work / "all" / language, o.mb * 1e6)
        size[language, "part"], _ = copy(source / language, work / "part" / language, size[language] * o.part)
    python = frame.venv(REQUIREMENTS) / "bin/python"
    costs = {}

    def note(side, amount, cost):
        costs.setdefault((side, amount), []).append(cost)
        print(f"{side} {amount}: {cost.wall:.1f} s, {cost.cpu:.1f} CPU-s", file=sys.stderr, flush=True)

    ours([work / "part" / "en"], work / "ours")  # builds the jar, and brings files into memory
    for language in LANGUAGES:
        multiplied.multiply(work / "all" / language, work / "several" / language, o.times)
    size["several"] = sum(file.stat().st_size for file in (work / "several").glob("*/*"))
    for _ in range(o.rounds):
        note("ours", "several", ours([work / "several" / x for x in LANGUAGES], work / "ours"))
        note("ours", "all", ours([work / "all" / x for x in LANGUAGES], work / "ours"))
        for amount in ("part", "all"):
            for language in LANGUAGES:
                note(language, amount, datatrove(python, language, work / amount / language, work / language))
    gone = {"ours": removed(python, work / "ours"), **{x: removed(python, work / x) for x in LANGUAGES}}
    hits = band_hits(truth, work / "all", work) if truth else {}
    report(o, {key: frame.median(runs) for key, runs in costs.items()}, size, ids, gone, truth, hits)


def report(o, costs, size, ids, gone, truth, hits):
    for amount in ("part", "all"):  # datatrove: one language after the other
        both = [costs[x, amount] for x in LANGUAGES]
        costs["datatrove", amount] = frame.Cost(sum(c.wall for c in both), sum(c.cpu for c in both), max(c.memory for c in both))
    megabytes = sum(size[x] for x in LANGUAGES) / 1e6
    more = {
        "ours": (size["several"] / 1e6 - megabytes, "several", "all"),
        "datatrove": (megabytes - sum(size[x, "part"] for x in LANGUAGES) / 1e6, "all", "part"),
    }
    rows, speeds = [], {}
    for side, (text, larger, smaller) in more.items():
        whole = costs[side, "all"]
        speeds[side] = megabytes / whole.wall, megabytes / whole.cpu, text / (costs[side, larger].cpu - costs[side, smaller].cpu)
        rows.append([side, *(f"{s:.2f}" for s in speeds[side]), f"{text:.1f}", f"{whole.memory / 1e6:.0f}"])
    print(f"en {size['en'] / 1e6:.1f} MB, zh {size['zh'] / 1e6:.1f} MB; medians of {o.rounds}")
    frame.table(["", "MB per wall s", "MB per CPU-s", "marginal MB per CPU-s", "of MB", "peak MB"], rows)
    values = {name: a / b for name, a, b in zip(("ratio", "ratio_cpu", "ratio_marginal"), speeds["ours"], speeds["datatrove"])}
    if truth:
        values |= qualities(truth, ids, gone) | hits
    frame.result(bench="dedup", megabytes=megabytes, **values)


def qualities(truth, ids, gone):
    rows, values, bands = [], {}, set()
    results = {}
    for language in LANGUAGES:
        for side in ("ours", "datatrove"):
            dropped = gone["ours"] & ids[language] if side == "ours" else gone[language]
            results[language, side] = quality(truth, language, ids[language], dropped)
            bands |= set(results[language, side][0])
    names = sorted(bands)
    for (language, side), (recall, precision, planted) in results.items():
        rows.append([f"{language} {side}", planted, *(f"{recall[b]:.4f}" if b in recall else "" for b in names), f"{precision:.4f}"])
        for band in ("0.7", "0.8", "0.9"):
            values[f"recall_{band}_{language}_{side}"] = recall.get(band, float("nan"))
        values[f"precision_{language}_{side}"] = precision
    print("recall of planted pairs by true Jaccard similarity (from the number to the next), and precision at 0.7 or more")
    frame.table(["", "pairs", *names, "precision"], rows)
    return values


def band_hits(truth, source, work):
    """Prints which share of the planted near pairs fall into a common bucket, by similarity, and which share should."""
    pairs = [c for c in map(json.loads, open(truth)) if c["kind"] == "near" and len(c["ids"]) == 2]
    wanted = {i for c in pairs for i in c["ids"]}
    texts = {}
    for file in source.glob("*/*.jsonl"):
        for document in map(json.loads, open(file)):
            if document["id"] in wanted:
                texts[document["id"]] = " ".join(document["text"].split())
    with open(work / "pairs.tsv", "w") as out:
        for c in pairs:
            if texts.keys() >= set(c["ids"]):
                out.write("\t".join(texts[i] for i in c["ids"]) + "\n")
    command = ["java", "-cp", frame.ROOT / "jobs/target/caravan.jar", frame.ROOT / "jobs/bench/BandHits.java", work / "pairs.tsv"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    bands, worst = {}, 0
    for line in done.stdout.splitlines():
        similarity, hit, expected = map(float, line.split())
        bands.setdefault(min(int(similarity * 10), 9) / 10, []).append((hit, expected))
    rows = []
    for band, hits in sorted(bands.items()):
        measured, expected = (statistics.mean(column) for column in zip(*hits))
        if len(hits) >= 100:
            worst = max(worst, abs(measured - expected))
        rows.append([f"{band:.1f}", len(hits), f"{measured:.4f}", f"{expected:.4f}"])
    print("planted pairs that share a bucket of the 20 bands of 6 rows, by Jaccard similarity, and 1-(1-s^6)^20")
    frame.table(["from", "pairs", "share a bucket", "should"], rows)
    return {"band_hit_rate_error": worst}


def measure_skew(o, work, source):
    rows, costs = [], {"as it is": [], o.skew: []}
    for language in LANGUAGES:
        copy(source / language, work / "as it is" / language, o.mb * 1e6)
    ours([work / "as it is" / "en"], work / "ours")  # builds the jar, and brings files into memory
    for language in LANGUAGES:
        skewed.skew(work / "as it is" / language, work / o.skew / language, o.skew)
    for _ in range(o.rounds):
        for name, runs in costs.items():
            runs.append(ours([work / name / x for x in LANGUAGES], work / "ours"))
            print(f"{name}: {runs[-1].wall:.1f} s, {runs[-1].cpu:.1f} CPU-s", file=sys.stderr, flush=True)
            counts = json.loads((work / "ours/report.json").read_text())
            if len(rows) < len(costs):
                rows.append([name, counts["input"]["documents"], counts["counts"]["candidate_pairs"], counts["counts"]["largest_cluster"]])
    medians = [frame.median(runs) for runs in costs.values()]
    rows = [row + [f"{c.wall:.1f}", f"{c.cpu:.1f}", f"{c.memory / 1e6:.0f}"] for row, c in zip(rows, medians)]
    print(f"skew {o.skew}; medians of {o.rounds}")
    frame.table(["", "documents", "pairs compared", "largest cluster", "wall s", "CPU-s", "peak MB"], rows)
    plain, skew = medians
    frame.result(bench="dedup", skew=o.skew, cpu_factor=skew.cpu / plain.cpu, wall_factor=skew.wall / plain.wall, memory_factor=skew.memory / plain.memory)


def measure_memory(o, work, source):
    rows, live, middle, values = [], {}, {}, {}
    for language in LANGUAGES:
        copy(source / language, work / "once" / language, o.mb * 1e6)
    ours([work / "once" / "en"], work / "ours")  # builds the jar
    for times in (1, 4, 8):
        for language in LANGUAGES:
            multiplied.multiply(work / "once" / language, work / f"x{times}" / language, times)
        log = work / f"collections-{times}.log"
        megabytes = sum(file.stat().st_size for file in (work / f"x{times}").glob("*/*")) / 1e6
        cost = ours(
            [work / f"x{times}" / x for x in LANGUAGES],
            work / "ours",
            lambda pid: frame.Collector(pid, log),
            JAVA_TOOL_OPTIONS=f"-Xlog:gc:file={log}",
        )
        shutil.rmtree(work / f"x{times}")
        live[times], middle[times] = max(frame.live_heap(log)), statistics.median(frame.live_heap(log))
        documents = json.loads((work / "ours/report.json").read_text())["input"]["documents"]
        rows.append([f"{times} x", f"{megabytes:.0f}", documents, f"{live[times] / 1e6:.0f}", f"{middle[times] / 1e6:.0f}", len(frame.live_heap(log)), f"{cost.memory / 1e6:.0f}", f"{cost.cpu:.0f}", f"{cost.wall:.0f}"])
        print(*rows[-1], file=sys.stderr, flush=True)
        values |= {f"live_mb_x{times}": live[times] / 1e6, f"cpu_x{times}": cost.cpu}
    frame.table(["corpus", "MB", "documents", "most live MB", "median live MB", "collections", "peak MB", "CPU-s", "wall s"], rows)
    frame.result(bench="dedup", memory="4g", heap_growth=middle[8] / middle[1], most_heap_growth=live[8] / live[1], **values)


def main():
    o = options()
    if o.truth and not o.corpus:
        sys.exit("bench: --truth needs --corpus; the corpus that is made here brings its own")
    work = Path(tempfile.mkdtemp(prefix="caravan-bench-", dir=o.work))
    try:
        corpus = o.corpus.absolute() if o.corpus else planted_corpus(work / "corpus", o.mb * 1e6)
        if o.skew:
            measure_skew(o, work, corpus)
        elif o.memory:
            measure_memory(o, work, corpus)
        else:
            measure(o, work, corpus, o.truth if o.corpus else corpus / "truth.jsonl")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
