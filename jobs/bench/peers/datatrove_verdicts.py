"""Verdicts of datatrove's English rules and of ours, document by document: datatrove_verdicts.py DOCUMENTS OURS RULE…

DOCUMENTS is a file of JSON lines with id and text, OURS a folder with our output of each rule. Where verdicts differ,
datatrove's own rule is asked again with one definition after another replaced by ours (what a word is, where a sentence
ends, what ends or starts a line): the first after which it agrees explains the difference. What none explains is listed.
"""

import collections
import contextlib
import json
import os
import re
import sys
from pathlib import Path
from unittest import mock

os.environ["HF_HUB_OFFLINE"] = "1"

import pyarrow.dataset  # noqa: E402
from datatrove.data import Document  # noqa: E402
from datatrove.pipeline.filters import (  # noqa: E402
    C4ParagraphFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

RULES = {
    "gopher-repetition": GopherRepetitionFilter,
    "gopher-quality": GopherQualityFilter,
    "c4": C4QualityFilter,
    "c4-paragraphs": C4ParagraphFilter,
    "fineweb-quality": FineWebQualityFilter,
}

HAN_OR_KANA = "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af"
WORD = re.compile(rf"[{HAN_OR_KANA}]|(?:(?![{HAN_OR_KANA}])[^\W_])+")
TOKEN = re.compile(rf"[{HAN_OR_KANA}]|[^\s{HAN_OR_KANA}]+")
SENTENCE_END = re.compile(r"[。！？][\"'”’)\]]*|[.!?][\"'”’)\]]*(?=\s|$)")
TERMINAL = tuple(".!?\"'”’。！？…」』．｡")


def words(text, language):
    """Runs of letters and digits, in lower case; no punctuation."""
    return WORD.findall(text.lower())


def tokens(text, language):
    return TOKEN.findall(text)


def sentences(line, language):
    """The ends of sentences in a line, by punctuation alone; what is left after the last is one, too."""
    found, start = [], 0
    for end in SENTENCE_END.finditer(line):
        piece = line[start : end.end()]
        initial = re.search(r"(?:^|\W)[A-Za-z]\.[\"'”’)\]]*$", piece)
        small = re.match(r"\s+[a-z]", line[end.end() :])
        if re.search(r"[^\W_]", piece) and not (end.group().startswith(".") and (initial or small)):
            found.append(piece)
            start = end.end()
    rest = line[start:]
    return found + [rest] if re.search(r"[^\W_]", rest) else found


def tidy(text):
    """Lines without space at their ends, and none that is blank beside another or at the text's ends."""
    return re.sub(r"\n\n+", "\n\n", re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", text.strip()))


def same_bullets(text):
    """Lines with text only, those that begin with any of our bullets with a plain one."""
    return re.sub(r"(?m)^\s*[●○■□▪◆◇‣⁃*·]", "•", re.sub(r"\n\s*\n", "\n", text))


def kept(rule, text):
    verdict = rule.filter(Document(text=text, id=""))
    return verdict if isinstance(verdict, bool) else verdict[0]


def with_words(split, rule, text):
    """datatrove's verdict with another definition of a word."""
    with contextlib.ExitStack() as stack:
        for module in (gopher_repetition_filter, gopher_quality_filter, fineweb_quality_filter):
            stack.enter_context(mock.patch.object(module, "split_into_words", split))
        return kept(rule, text)


def top(ngrams):
    """Nothing is repeated that is there once; of several that are equally frequent, the longest."""
    counts = collections.Counter(ngrams)
    most = max(counts.values())
    return most * max(len(ngram) for ngram, count in counts.items() if count == most) if most > 1 else 0


def repetition(text):
    with mock.patch.object(gopher_repetition_filter, "find_top_duplicate", top):
        return with_words(words, GopherRepetitionFilter(), text)


def with_sentences(text):
    with mock.patch.object(c4_filters, "split_into_sentences", sentences):
        return kept(C4QualityFilter(), text)


def quality(text):
    """A share of tokens (between white space) must have a letter; everything else is about words."""
    return with_words(words, GopherQualityFilter(max_non_alpha_words_ratio=None), text) and with_words(
        tokens, GopherQualityFilter(**dict.fromkeys(BOUNDS)), text
    )


BOUNDS = (
    "min_doc_words",
    "max_doc_words",
    "min_avg_word_length",
    "max_avg_word_length",
    "max_symbol_word_ratio",
    "max_bullet_lines_ratio",
    "max_ellipsis_lines_ratio",
    "min_stop_words",
)
FINEWEB = FineWebQualityFilter(stop_chars=TERMINAL)
WORDS = "what a word is"
SPACES = "space at the ends of lines, blank lines"

# For each rule, what may explain a difference: each includes those before it.
EXPLANATIONS = {
    "gopher-repetition": {
        WORDS: lambda text: with_words(words, GopherRepetitionFilter(), text),
        "n-grams that are there once, equally frequent ones": repetition,
        SPACES: lambda text: repetition(tidy(text)),
    },
    "gopher-quality": {
        WORDS: quality,
        "which signs are bullets, blank lines": lambda text: quality(same_bullets(text)),
    },
    "c4": {
        "where a sentence ends": with_sentences,
        SPACES: lambda text: with_sentences(tidy(re.sub(r" +(?=(\[\d*])+\s*$)", "", text, flags=re.M))),
    },
    "c4-paragraphs": {SPACES: lambda text: kept(C4ParagraphFilter(), tidy(text))},
    "fineweb-quality": {
        "closing quotes end a line": lambda text: kept(FINEWEB, text),
        WORDS: lambda text: with_words(words, FINEWEB, text),
        SPACES: lambda text: with_words(words, FINEWEB, tidy(text)),
    },
}


def our_verdicts(folder):
    """Per document id: whether we keep it, and if not, why."""
    verdicts = {}
    kept_files = sorted(map(str, folder.glob("data/*.parquet")))
    dropped_files = sorted(map(str, folder.glob("dropped/*/*.parquet")))
    for row in pyarrow.dataset.dataset(kept_files).to_table(columns=["id"]).to_pylist() if kept_files else []:
        verdicts[row["id"]] = (True, "")
    for file in dropped_files:
        reason = Path(file).parent.name.removeprefix("reason=")
        for row in pyarrow.dataset.dataset(file).to_table(columns=["id", "detail"]).to_pylist():
            verdicts[row["id"]] = (False, f"{reason}: {row['detail']}")
    return verdicts


def compare(rule, documents, ours):
    """Prints the rule's line and what is unexplained; returns agreements, explained and unexplained differences."""
    theirs = RULES[rule]()
    explained, unexplained, agree, dropped = collections.Counter(), [], 0, [0, 0]
    for document in documents:
        text = document["text"]
        our, why = ours[document["id"]]
        their = kept(theirs, text)
        dropped[0] += not their
        dropped[1] += not our
        if our == their:
            agree += 1
            continue
        name = next((name for name, verdict in EXPLANATIONS[rule].items() if verdict(text) == our), None)
        if name:
            explained[name] += 1
        else:
            unexplained.append(f"  document {document['id']}: datatrove {'keeps' if their else 'drops'}, ours {why or 'keeps'}: {text[:80]!r}")
    reasons = "; ".join(f"{count} {name}" for name, count in explained.most_common()) or "none"
    print(f"{rule}: {agree} of {len(documents)} agree; datatrove drops {dropped[0]}, ours {dropped[1]}; explained: {reasons}; unexplained: {len(unexplained)}")
    print("\n".join(unexplained[:20]), end="\n" if unexplained else "")
    return agree, sum(explained.values()), len(unexplained)


def main(documents, folder, *rules):
    documents = [json.loads(line) for line in open(documents)]
    result = {"bench": "filters", "documents": len(documents)}
    for rule in rules:
        agree, explained, unexplained = compare(rule, documents, our_verdicts(Path(folder) / rule))
        result[rule] = {"agree": agree, "explained": explained, "unexplained": unexplained}
    result["unexplained"] = sum(result[rule]["unexplained"] for rule in rules)
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
