"""What Python makes of a tokenizer.model, a file of texts and token shards: JSON on standard output."""
import json
import sys
from pathlib import Path

import numpy
import sentencepiece

model, characters, texts, shards = sys.argv[1:]
pieces = sentencepiece.SentencePieceProcessor(model_file=model)
lines = json.loads(Path(texts).read_text(encoding="utf-8"))
single = sentencepiece.SentencePieceProcessor(model_file=characters)
encoded = [pieces.encode(line) for line in lines]
manifest = json.loads((Path(shards) / "manifest.json").read_text(encoding="utf-8"))
documents = {}
for split in ("train", "validation"):
    documents[split] = []
    for file in sorted((Path(shards) / split).glob("*.bin")):
        tokens = numpy.fromfile(file, dtype="<u2" if manifest["extra"]["dtype"] == "uint16" else "<u4")
        ends = numpy.fromfile(file.with_suffix(".bounds"), dtype="<i8")
        assert ends[-1] == len(tokens), f"{file}: {len(tokens)} tokens, last bound {ends[-1]}"
        for ids in numpy.split(tokens, ends[:-1]):
            assert ids[0] == pieces.bos_id() and ids[-1] == pieces.eos_id(), f"{file}: {ids}"
            documents[split].append(pieces.decode(ids[1:-1].tolist()))
json.dump(
    {
        "vocabSize": pieces.vocab_size(),
        "special": [pieces.unk_id(), pieces.bos_id(), pieces.eos_id(), pieces.pad_id()],
        "bytes": [pieces.id_to_piece(3), pieces.id_to_piece(258)],
        "ids": encoded,
        "characterIds": [single.encode(line) for line in lines],
        "decoded": [pieces.decode(ids) for ids in encoded],
        "documents": documents,
    },
    sys.stdout,
)
