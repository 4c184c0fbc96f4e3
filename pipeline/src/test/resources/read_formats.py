"""Token shards read in the ways of Megatron-LM and llama2.c: MODEL MEGATRON_FOLDER LLAMA2C_FOLDER; JSON on standard output.

Megatron: megatron/core/datasets/indexed_dataset.py, _IndexReader and IndexedDataset.get, step by step with the same numpy calls.
llama2.c: tinystories.py, PretokDataset.__iter__ (without its shuffling and torch's tensors).
"""
import glob
import json
import os
import struct
import sys

import numpy as np
import sentencepiece

DTYPES = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 6: np.float64, 7: np.float32, 8: np.uint16}


def megatron(prefix):
    with open(prefix + ".idx", "rb") as stream:
        assert stream.read(9) == b"MMIDIDX\x00\x00"
        assert struct.unpack("<Q", stream.read(8)) == (1,)
        dtype = DTYPES[struct.unpack("<B", stream.read(1))[0]]
        sequence_count = struct.unpack("<Q", stream.read(8))[0]
        document_count = struct.unpack("<Q", stream.read(8))[0]
        offset = stream.tell()
    buffer = memoryview(np.memmap(prefix + ".idx", mode="r", order="C"))
    lengths = np.frombuffer(buffer, dtype=np.int32, count=sequence_count, offset=offset)
    pointers = np.frombuffer(buffer, dtype=np.int64, count=sequence_count, offset=offset + lengths.nbytes)
    documents = np.frombuffer(buffer, dtype=np.int64, count=document_count, offset=offset + lengths.nbytes + pointers.nbytes)
    assert lengths.shape[0] == sequence_count == documents[-1]
    ids = memoryview(np.memmap(prefix + ".bin", mode="r", order="C"))
    return [np.frombuffer(ids, dtype=dtype, count=lengths[i], offset=pointers[i]) for i in range(sequence_count)]


def llama2c(bin_dir, split, max_seq_len):
    shard_filenames = sorted(glob.glob(os.path.join(bin_dir, "*.bin")))
    shard_filenames = shard_filenames[1:] if split == "train" else shard_filenames[:1]
    assert len(shard_filenames) > 0, f"No bin files found in {bin_dir}"
    for shard in shard_filenames:
        m = np.memmap(shard, dtype=np.uint16, mode="r")
        num_batches = len(m) // max_seq_len
        num_batches -= 1  # drop the last partial batch
        assert num_batches > 0, "this shard is way too small? investigate."
        for ix in range(num_batches):
            chunk = m[ix * max_seq_len : ix * max_seq_len + max_seq_len + 1].astype(np.int64)
            yield chunk[:-1], chunk[1:]


model, megatron_folder, llama2c_folder = sys.argv[1:]
pieces = sentencepiece.SentencePieceProcessor(model_file=model)
shards = sorted(file.removesuffix(".idx") for file in glob.glob(f"{megatron_folder}/*/*.idx"))
bins = glob.glob(f"{llama2c_folder}/tok*/")
assert len(bins) == 1, bins
batches = {split: list(llama2c(bins[0], split, 16)) for split in ("train", "validation")}
json.dump(
    {
        "megatron": [[int(d[0]), int(d[-1]), pieces.decode(d[1:-1].tolist())] for shard in shards for d in megatron(shard)],
        "llama2c": {split: [x.tolist() for x, _ in found] for split, found in batches.items()},
        "shifted": all((x[1:] == y[:-1]).all() for found in batches.values() for x, y in found),
    },
    sys.stdout,
)
