"""Trains english.bin, the model by which LanguageDetector tells English from other languages in Latin letters.

    python train_language.py DEBS OUTPUT     (in an environment of train_language.txt)

DEBS is a folder of Debian packages, got by `apt-get download` (Debian 12): manpages manpages-{cs,da,de,es,fi,fr,hu,id,it,nb,nl,pl,
pt-br,ro,sv,tr,vi} fortunes fortunes-min fortunes-{br,cs,de,eo,es,ga,it,pl} wamerican-small wbritish-small wbrazilian wcatalan wdanish
wdutch wesperanto wfrench wgalician-minimos wirish witalian wngerman wnorwegian wpolish wportuguese wspanish wswedish
hunspell-{af,br,cs,eu,gd,hr,hu,id,is,lt,lv,oc,ro,sk,sl,sw,tr,vi}. The messages of Sphinx, wagtail, WTForms, humanize and django-allauth are
the other half. Django's are left out everywhere: `jobs/bench/run language` measures on them.

The features and the score are those of EnglishModel.java; logistic regression by AdaGrad, classes weighted equally, languages by the
square root of their size. The file: the weights' scale as a big-endian float, then one signed byte per bucket.
"""

import glob
import gzip
import importlib.util
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polib

MESSAGES = ["sphinx", "wagtail", "wtforms", "humanize", "allauth"]
WORD_LISTS = {
    "american-english-small": "en", "british-english-small": "en", "brazilian": "pt", "catalan": "ca", "danish": "da", "dutch": "nl",
    "esperanto": "eo", "french": "fr", "galician-minimos": "gl", "irish": "ga", "italian": "it", "ngerman": "de", "bokmaal": "nb",
    "nynorsk": "nn", "polish": "pl", "portuguese": "pt", "spanish": "es", "swedish": "sv",
}  # fmt: skip
BUCKETS, MAX_N, BATCH, EPOCHS, DECAY, STEP = 1 << 16, 6, 8192, 8, 1e-6, 0.1
BOUNDARY = ord("_")
RANDOM = random.Random(1)


def is_latin(c):
    return (
        97 <= c <= 122 or 65 <= c <= 90 or (0xC0 <= c <= 0x24F and c not in (0xD7, 0xF7)) or 0x1E00 <= c <= 0x1EFF
    )  # fmt: skip


def lower_case():
    """What each char becomes: a Latin letter in lower case, or a boundary."""
    table = np.full(0x10000, BOUNDARY, np.uint32)
    for c in filter(is_latin, range(0x10000)):
        lower = chr(c).lower()
        table[c] = ord(lower) if len(lower) == 1 else ord("i")  # İ
    return table


LETTERS = lower_case()


def latin_letters(text):
    return sum(is_latin(ord(c)) for c in text)


def usable(text):
    latin = latin_letters(text)
    return latin >= 3 and latin >= 0.6 * sum(c.isalpha() for c in text)


def messages(package):
    """(language, text) of an installed package's translations and their English originals."""
    root = Path(importlib.util.find_spec(package).origin).parent
    for path in sorted(glob.glob(f"{root}/**/*.po", recursive=True)):
        language = path.split(os.sep)[-3]
        for entry in polib.pofile(path):
            if entry.obsolete or entry.fuzzy:
                continue
            originals = [entry.msgid, entry.msgid_plural]
            yield from (("en", text) for text in originals)
            if not language.startswith("en"):
                texts = [entry.msgstr, *entry.msgstr_plural.values()]
                yield from ((language, text) for text in texts if text not in originals)


def man_pages(root):
    for path in sorted(glob.glob(f"{root}/usr/share/man/**/*.gz", recursive=True)):
        folder = path.split("/man/")[-1].split("/")[0]
        language = "en" if re.fullmatch(r"man\d.*", folder) else folder.split(".")[0]
        try:
            page = gzip.open(path).read().decode("utf-8")
        except UnicodeDecodeError:
            continue
        for paragraph in re.split(r"^[.'].*$", page, flags=re.M):
            plain = re.sub(r"\\f\[[^]]*\]|\\f\(..|\\f.|\\[&/,%|c]", "", paragraph).replace("\\-", "-")
            yield language, re.sub(r"\\\(..|\\\[[^]]*\]|\\.", " ", plain)[:600]


def fortunes(root, package):
    language = {"fortunes": "en", "fortunes-min": "en", "fortunes-br": "pt"}.get(package, package.split("-")[-1])
    for path in sorted(glob.glob(f"{root}/usr/share/games/fortunes/**/*", recursive=True)):
        if os.path.isfile(path) and not path.endswith((".dat", ".u8")) and "ascii-art" not in path:
            raw = open(path, "rb").read()
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                if language in ("cs", "pl"):
                    continue
                text = raw.decode("latin-1")
            yield from ((language, re.sub(r"\x1b\[[0-9;]*m", "", cookie)[:600]) for cookie in re.split(r"\n%+\n", text))


def words(root):
    for path in sorted(glob.glob(f"{root}/usr/share/dict/*") + glob.glob(f"{root}/usr/share/hunspell/*.dic")):
        name = os.path.basename(path)
        language = WORD_LISTS.get(name) or (name.split("_")[0].split(".")[0] if name.endswith(".dic") else None)
        if language is None:
            continue
        encoding = "utf-8"
        if name.endswith(".dic"):
            declared = re.search(rb"^SET\s+(\S+)", open(path[:-4] + ".aff", "rb").read(), re.M)
            encoding = declared.group(1).decode().replace("microsoft-cp", "cp") if declared else encoding
        for line in open(path, encoding=encoding, errors="ignore"):
            word = re.split(r"[/\t]", line)[0].strip()
            if len(word) >= 3 and word.isalpha() and not word.isupper():
                yield language, word


def collect(debs):
    """language -> (texts, words), without what Django says."""
    measured = {" ".join(text.split()).lower() for _, text in messages("django")}
    texts, single = {}, {}

    def add(pairs, into):
        for language, text in pairs:
            text = " ".join(text.split())
            if usable(text) and text.lower() not in measured:
                into.setdefault(re.split("[_@.]", language)[0], {})[text] = None

    for package in MESSAGES:
        add(messages(package), texts)
    for deb in sorted(Path(debs).glob("*.deb")):
        package = deb.name.split("_")[0]
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
            if package.startswith("manpages"):
                add(man_pages(root), texts)
            elif package.startswith("fortunes"):
                add(fortunes(root, package), texts)
            else:
                add(words(root), single)
    for languages in (texts, single):
        for missing in [language for language in languages if language in ("ja", "zh", "ko", "ru", "uk", "bg", "el", "sr")]:
            del languages[missing]  # their lines in Latin letters are English
    return texts, single


def examples(texts, single):
    """(text, is English, weight): texts whole and in pieces of few words, and words."""
    found = []
    for language in sorted({*texts, *single}):
        english = language == "en"
        of_language = []
        for text in shuffled(texts.get(language, ()), 45000 if english else 15000):
            of_language.append((text[:300], 1))
            parts = text.split()
            for _ in range(6 if english else 3):
                count = RANDOM.choice((1, 1, 2, 2, 3, 4, 6))
                at = RANDOM.randrange(max(1, len(parts) - count + 1))
                of_language.append((" ".join(parts[at : at + count]), 1))
        of_language += [(word, 0.5) for word in shuffled(single.get(language, ()), 50000 if english else 5000)]
        of_language = [(text, weight) for text, weight in of_language if latin_letters(text) >= 3]
        scale = 1 if english else len(of_language) ** -0.5
        found += [(text, english, weight * scale) for text, weight in of_language]
        print(f"{language}: {len(of_language)} examples", flush=True)
    RANDOM.shuffle(found)
    return found


def shuffled(items, at_most):
    items = sorted(items)
    RANDOM.shuffle(items)
    return items[:at_most]


def features(batch):
    """Hashes of the n-grams of all texts of a batch, and which text each belongs to."""
    chars, owners = [], []
    for number, text in enumerate(batch):
        letters = LETTERS[np.frombuffer(f"_{text}_".encode("utf-16-le"), dtype=np.uint16)]
        keep = np.ones(len(letters), bool)
        keep[1:] = (letters[1:] != BOUNDARY) | (letters[:-1] != BOUNDARY)
        chars.append(letters[keep])
        owners.append(np.full(keep.sum(), number, np.int32))
    chars, owners = np.concatenate(chars), np.concatenate(owners)
    size = len(chars)
    hashes, inside = np.full(size, 0x811C9DC5, np.uint32), np.ones(size, bool)
    buckets, texts = [], []
    for n in range(MAX_N):
        following, same = np.zeros(size, np.uint32), np.full(size, -1, np.int32)
        following[: size - n], same[: size - n] = chars[n:], owners[n:]
        inside &= same == owners
        hashes = (hashes ^ following) * np.uint32(0x01000193)
        valid = inside & (chars != BOUNDARY) if n == 0 else inside
        buckets.append(((hashes ^ (hashes >> np.uint32(15))) & np.uint32(BUCKETS - 1))[valid].astype(np.int32))
        texts.append(owners[valid])
        if n > 0:
            inside = inside & (following != BOUNDARY)
    return np.concatenate(buckets), np.concatenate(texts)


def train(found):
    english = np.array([e for _, e, _ in found], np.float32)
    weight = np.array([w for _, _, w in found], np.float32)
    for label in (0, 1):
        weight[english == label] /= weight[english == label].sum()
    weight *= len(found) / 2
    batches = []
    for at in range(0, len(found), BATCH):
        buckets, texts = features([text for text, _, _ in found[at : at + BATCH]])
        scale = np.maximum(1, np.bincount(texts, minlength=len(found[at : at + BATCH]))) ** -0.5
        batches.append((buckets, texts, scale, english[at : at + BATCH], weight[at : at + BATCH]))
    weights, squares = np.zeros(BUCKETS, np.float32), np.full(BUCKETS, 1e-6, np.float32)
    for epoch in range(EPOCHS):
        right = 0.0
        for buckets, texts, scale, label, importance in batches:
            score = np.bincount(texts, weights[buckets], len(label)) * scale
            right += (importance * ((score > 0) == (label == 1))).sum()
            error = (1 / (1 + np.exp(-score)) - label) * importance * scale
            gradient = np.bincount(buckets, error[texts], BUCKETS).astype(np.float32) / len(label) + DECAY * weights
            squares += gradient * gradient
            weights -= STEP * gradient / np.sqrt(squares)
        print(f"epoch {epoch + 1}: {right / len(found):.4f} of the examples right", flush=True)
    return weights


def main(debs, output):
    weights = train(examples(*collect(debs)))
    scale = float(np.abs(weights).max()) / 127
    with open(output, "wb") as file:
        file.write(struct.pack(">f", scale))
        file.write(np.clip(np.round(weights / scale), -127, 127).astype(np.int8).tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
