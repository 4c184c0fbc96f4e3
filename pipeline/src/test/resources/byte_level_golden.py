"""Trains byte-level BPE tokenizers by Hugging Face's library and writes what it and tiktoken make of test lines.

usage: byte_level_golden.py LINES.json OUTPUT_DIRECTORY
"""
import base64, json, random, sys
from pathlib import Path
import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


STYLES = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "llama3": split(LLAMA3),
    "qwen2": split(QWEN2),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                       pre_tokenizers.ByteLevel(add_prefix_space=False)]),
}


def train(style, lines):
    tokenizer = Tokenizer(models.BPE(ignore_merges=style == "llama3"))
    tokenizer.pre_tokenizer = STYLES[style]
    tokenizer.decoder = decoders.ByteLevel()
    if style == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=1200, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([AddedToken("勇气和", normalized=False), AddedToken("café 1", normalized=False)])
    return tokenizer


def main():
    lines, output = json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2])
    rng = random.Random(7)
    for style in STYLES:
        tokenizer = train(style, lines)
        folder = output / style
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}}))
        runs = [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randrange(12))] for _ in range(400)]
        golden = {"size": tokenizer.get_vocab_size(),
                  "ids": [tokenizer.encode(line, add_special_tokens=False).ids for line in lines],
                  "runs": runs, "decoded": [tokenizer.decode(run, skip_special_tokens=True) for run in runs]}
        tokenizer.encode_special_tokens = True
        golden["plain"] = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
        (folder / "golden.json").write_text(json.dumps(golden), "utf-8")
        if style == "llama3":
            ranks(tokenizer, lines, output / "tiktoken")


def ranks(tokenizer, lines, folder):
    """The same tokens as tiktoken's ranks: single bytes first, then the merges in their order."""
    spelled = {character: byte for byte, character in bytes_to_unicode().items()}
    text = json.loads(tokenizer.to_str())["model"]
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [bytes(spelled[c] for c in "".join(merge)) for merge in
               (m if isinstance(m, list) else m.split(" ") for m in text["merges"])]
    table = {token: rank for rank, token in enumerate(dict.fromkeys(tokens))}
    folder.mkdir()
    (folder / "tokenizer.model").write_bytes(
        b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in table.items()))
    encoding = tiktoken.Encoding("test", pat_str=LLAMA3, mergeable_ranks=table,
                                 special_tokens={"<|begin_of_text|>": len(table), "<|end_of_text|>": len(table) + 1})
    golden = {"size": len(table) + 256, "ids": [encoding.encode(line, allowed_special="all") for line in lines],
              "plain": [encoding.encode_ordinary(line) for line in lines]}
    (folder / "golden.json").write_text(json.dumps(golden), "utf-8")


def bytes_to_unicode():
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


main()
