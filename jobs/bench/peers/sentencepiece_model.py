"""Vocabularies for the benchmarks: `train LINES MODEL SIZE` learns a SentencePiece BPE model; `convert MODEL JSON` writes the
same vocabulary as Hugging Face's tokenizer.json, which datatrove's tokenizer reads."""

import json
import sys

import sentencepiece


def train(lines, model, size):
    sentencepiece.SentencePieceTrainer.train(
        input=lines,
        model_prefix=model.removesuffix(".model"),
        vocab_size=int(size),
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        max_sentence_length=16384,
        num_threads=2,
        minloglevel=2,
    )


def convert(model, target):
    pieces = sentencepiece.SentencePieceProcessor(model_file=model)
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.vocab_size())}
    merges = []
    for piece, i in vocabulary.items():
        if pieces.is_byte(i) or pieces.is_control(i) or pieces.is_unknown(i):
            continue
        splits = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        splits = sorted((vocabulary[a], vocabulary[b], a, b) for a, b in splits if a in vocabulary and b in vocabulary)
        merges += [(-pieces.get_score(i), n, a, b) for n, (_, _, a, b) in enumerate(splits)]
    merges.sort(key=lambda merge: merge[0])
    special = [{"id": i, "content": pieces.id_to_piece(i), "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i in range(3)]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": pieces.id_to_piece(pieces.unk_id()),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocabulary,
            "merges": [f"{a} {b}" for _, _, a, b in merges],
        },
    }
    with open(target, "w", encoding="utf-8") as out:
        json.dump(tokenizer, out, ensure_ascii=False)


if __name__ == "__main__":
    {"train": train, "convert": convert}[sys.argv[1]](*sys.argv[2:])
