"""jobs/bench/run language: our language identification beside lingua's and py3langid's, zh, en or other.

The labelled set: the messages of Django 5.2.8 in its 100 languages (the originals are the English ones), as they are, one by
one, and joined to documents of 500 characters and more. No text of Django was in what our model was trained on. Accuracy is
given per class, since most languages are "other", and as the mean of the three. Both sides read the same file; CPU-seconds
count each program from start to end.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import frame

REQUIREMENTS = "jobs/python/language.txt"
PEERS = ["lingua", "py3langid"]
LABELS = ["zh", "en", "other"]
BUCKETS = [10, 20, 50, 100]
DOCUMENT = 500  # characters
MARKUP = re.compile(r"%\([a-z_]+\)[a-z]|%[a-z]|\{[^}]*\}|<[^>]*>|&\w+;")
READER = """
import django, glob, json, os, polib
root = os.path.dirname(django.__file__)
for path in sorted(glob.glob(root + "/**/locale/*/LC_MESSAGES/*.po", recursive=True)):
    for e in polib.pofile(path):
        if not e.obsolete and not e.fuzzy:
            ids = [e.msgid] + ([e.msgid_plural] if e.msgid_plural else [])
            print(json.dumps([path.split(os.sep)[-3], ids, [e.msgstr] if e.msgstr else list(e.msgstr_plural.values())]))
"""


def messages(python):
    """(label, locale, text), each text of a locale once; texts left in English are not taken for other languages."""
    seen = set()
    for line in subprocess.run([python, "-c", READER], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        locale, originals, translations = json.loads(line)
        originals = [" ".join(text.split()) for text in originals]
        label = "zh" if locale.startswith("zh") else "other"
        rows = [("en", "en", text) for text in originals]
        if not locale.startswith("en"):
            rows += [(label, locale, text) for text in (" ".join(text.split()) for text in translations) if text not in originals]
        for row in rows:
            letters = sum(character.isalpha() for character in MARKUP.sub("", row[2]))
            if letters >= 2 and row[1:] not in seen:
                seen.add(row[1:])
                yield row


def sample(rows, per_language):
    """All of the Chinese and English ones, some of every other locale; and documents of them."""
    by_locale = {}
    for row in rows:
        by_locale.setdefault(row[1], []).append(row)
    lines, documents = [], []
    for locale, of_locale in sorted(by_locale.items()):
        joined, of_documents = "", []
        for label, _, text in of_locale:
            joined = f"{joined} {text}".strip()
            if len(joined) >= DOCUMENT:
                of_documents.append((label, locale, joined))
                joined = ""
        random.Random(locale).shuffle(of_locale)
        other = of_locale[0][0] == "other"
        lines += of_locale[: per_language if other else None]
        documents += of_documents[: per_language // 10 if other else None]
    return lines, documents


def bucket(text):
    return next((f"to {size}" for size in BUCKETS if len(text) <= size), f"over {BUCKETS[-1]}")


def accuracy(rows, found):
    """The share found right per label, and their mean; None for labels without a row."""
    shares = []
    for label in LABELS:
        right = [f == label for (l, _, _), f in zip(rows, found) if l == label]
        shares.append(sum(right) / len(right) if right else None)
    present = [share for share in shares if share is not None]
    return [*shares, sum(present) / len(present)]


def main():
    parser = argparse.ArgumentParser(prog="jobs/bench/run language", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-language", type=int, default=60, help="lines of each language other than Chinese and English")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    python = frame.venv(REQUIREMENTS) / "bin/python"
    subprocess.run([frame.ROOT / "jobs/caravan", "--version"], check=True, stdout=subprocess.DEVNULL)  # builds the jar
    lines, documents = sample(messages(python), options.per_language)
    rows = lines + documents
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts"
        texts.write_text("".join(text + "\n" for _, _, text in rows), encoding="utf-8")
        commands = {"ours": ["java", "-cp", frame.ROOT / "jobs/target/caravan.jar", frame.ROOT / "jobs/bench/Languages.java", texts]}
        for peer in PEERS:
            commands[peer] = [python, frame.ROOT / "jobs/bench/peers/languages.py", peer, texts]
        costs = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                costs[name].append(frame.run(command, Path(folder) / name, PYTHONWARNINGS="ignore"))
        found = {name: (Path(folder) / name).read_text().split() for name in commands}
    for name, labels in found.items():
        if len(labels) != len(rows):
            sys.exit(f"bench: {name} labelled {len(labels)} of {len(rows)} texts")
    report(lines, documents, found, {name: frame.median(cost) for name, cost in costs.items()})


def report(lines, documents, found, costs):
    groups = {}
    for at, row in enumerate(lines + documents):
        names = [bucket(row[2]), "all lines"] if at < len(lines) else ["documents"]
        for name in names:
            groups.setdefault(name, []).append(at)
    order = [*(f"to {size}" for size in BUCKETS), f"over {BUCKETS[-1]}", "all lines", "documents"]
    rows, every = [], lines + documents
    means = {}
    for group in order:
        members = groups[group]
        for name, labels in found.items():
            shares = accuracy([every[i] for i in members], [labels[i] for i in members])
            means[name, group] = shares[-1]
            rows.append([group, name, *("-" if share is None else f"{share:.4f}" for share in shares), len(members)])
    frame.table(["characters", "", *LABELS, "mean", "texts"], rows)
    print()
    size = sum(len(row[2].encode()) for row in every) / 1e6
    frame.table(
        ["", "wall s", "CPU s", "MB per CPU-s", "peak MB"],
        [[n, f"{c.wall:.1f}", f"{c.cpu:.1f}", f"{size / c.cpu:.2f}", f"{c.memory / 1e6:.0f}"] for n, c in costs.items()],
    )
    values = {f"accuracy_{kind}_{name}": means[name, group] for name in found for kind, group in (("lines", "all lines"), ("documents", "documents"))}
    best = min(PEERS, key=lambda name: costs[name].cpu)
    frame.result(ratio=costs[best].wall / costs["ours"].wall, ratio_cpu=costs[best].cpu / costs["ours"].cpu, peer=best, **values)


if __name__ == "__main__":
    main()
