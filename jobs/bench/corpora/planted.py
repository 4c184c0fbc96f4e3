"""A corpus with planted duplicates: texts of the quickstart's packages, recombined, and the truth about what was planted.

A document is some paragraphs in random order. 8 % of the draws plant exact copies; 15 % near duplicates, made by replacing
sentences, replacing units, adding a frame, or cutting the end off. Their Jaccard similarity is counted: sets of 5-grams of
units, a unit being a Han character or a run of a to z and digits, in lower case.
"""

import json
import os
import random
import re
from pathlib import Path

import frame

UNIT = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[a-z0-9]+")
WORD = re.compile(r"[\u4e00-\u9fff]|[A-Za-z0-9]+")
SENTENCE = {"en": re.compile(r"(?<=[.!?])\s+"), "zh": re.compile(r"(?<=[。！？；])")}
JOINT = {"en": " ", "zh": ""}


def planted_corpus(folder, size, seed=1):
    """Writes en/0.jsonl, zh/0.jsonl of about so many bytes each, and truth.jsonl; returns the folder."""
    data = Path(os.popen(str(frame.ROOT / "jobs/quickstart-data")).read().strip())
    paragraphs = {
        "en": [p.strip() for f in sorted((data / "speeches").glob("*.txt")) for p in f.read_text().split("\n\n")],
        "zh": [json.loads(line)["text"] for f in sorted((data / "news").glob("*.jsonl")) for line in open(f)],
    }
    folder.mkdir(parents=True)
    with open(folder / "truth.jsonl", "w") as truth:
        for language, texts in paragraphs.items():
            texts = [t for t in dict.fromkeys(texts) if len(UNIT.findall(t.lower())) > 20]
            planter = Planter(language, texts, random.Random(f"{seed} {language}"), truth)
            (folder / language).mkdir()
            with open(folder / language / "0.jsonl", "w") as out:
                for document in planter.documents(size):
                    out.write(json.dumps(document, ensure_ascii=False) + "\n")
    return folder


class Planter:
    def __init__(self, language, paragraphs, rnd, truth):
        self.language = language
        self.paragraphs = paragraphs
        self.rnd = rnd
        self.truth = truth
        self.made = []
        self.bytes = 0

    def documents(self, size):
        """Until the paragraphs have all been used once or the size is reached: texts that were not planted share nothing."""
        self.rnd.shuffle(self.paragraphs)
        fresh = iter(self.paragraphs[: len(self.paragraphs) // 8])
        rest = iter(self.paragraphs[len(self.paragraphs) // 8 :])
        while self.bytes < size:
            text = "\n".join(p for _, p in zip(range(self.rnd.randint(2, 8)), rest))
            if not text:
                break
            draw = self.rnd.random()
            if draw < 0.08:
                self.plant("exact", [text] * self.rnd.choice([2, 2, 2, 3, 4]))
            elif draw < 0.4:
                edited = self.edited(text, self.rnd.uniform(0.4, 0.99), fresh)
                self.plant("near", [text, edited])
            else:
                self.add(text)
        self.rnd.shuffle(self.made)
        return self.made

    def add(self, text):
        document = {"id": f"{self.language}-{len(self.made):07d}", "text": text}
        self.made.append(document)
        self.bytes += len(text.encode())
        return document["id"]

    def plant(self, kind, texts):
        ids = [self.add(text) for text in texts]
        pairs = [[i, j, jaccard(texts[i], texts[j])] for j in range(len(texts)) for i in range(j)] if kind == "near" else []
        self.truth.write(json.dumps({"lang": self.language, "kind": kind, "ids": ids, "pairs": pairs}) + "\n")

    def edited(self, text, similarity, fresh):
        how = self.rnd.choice(["sentences", "units", "frame", "cut"])
        if how == "cut":
            return text[: max(50, int(len(text) * similarity))]
        if how == "units":
            rate = 1 - (2 * similarity / (1 + similarity)) ** 0.2
            vocabulary = WORD.findall(text)
            return WORD.sub(lambda m: self.rnd.choice(vocabulary) if self.rnd.random() < rate else m.group(), text)
        if how == "frame":
            return self.some(fresh, (1 / similarity - 1) * len(text)) + "\n" + text
        sentences = SENTENCE[self.language].split(text)
        budget = (1 - similarity) / (1 + similarity) * len(text)
        for i in self.rnd.sample(range(len(sentences)), len(sentences)):
            if budget > 0:
                budget -= len(sentences[i])
                sentences[i] = self.some(fresh, len(sentences[i]))
        return JOINT[self.language].join(sentences)

    def some(self, fresh, length):
        """Text that is nowhere else, as far as there is any; then shuffled units."""
        text = ""
        while len(text) < length:
            paragraph = next(fresh, None)
            if paragraph is None:
                units = WORD.findall(self.rnd.choice(self.paragraphs))
                self.rnd.shuffle(units)
                paragraph = JOINT[self.language].join(units)
            text += paragraph + JOINT[self.language]
        return text[: int(length)]


def jaccard(a, b):
    a, b = grams(a), grams(b)
    return round(len(a & b) / max(1, len(a | b)), 4)


def grams(text):
    units = UNIT.findall(text.lower())
    return {tuple(units[i : i + 5]) for i in range(len(units) - 4)}
