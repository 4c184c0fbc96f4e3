"""Golden GGUF files for GgufTest, in model/src/test/resources/golden/gguf.

    $(jobs/venv model/src/test/python/requirements.txt)/bin/python model/src/test/python/make_gguf.py
    …/make_gguf.py --check                                  re-make and compare with what is committed
    …/make_gguf.py --exported model/target/golden/gguf      also open what GgufTest wrote there

types.gguf has one tensor per element type, of random blocks; types.safetensors what the gguf package makes of each.
"""
import argparse
import pathlib
import sys
import tempfile

import gguf
import numpy
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM

GOLDEN = pathlib.Path(__file__).parent.parent / "resources" / "golden"
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the half-precision scales of a block lie, in bytes.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
ROWS, COLUMNS = 3, 512


def blocks(name, random):
    """Random bytes of a tensor, with scales that are numbers."""
    type_ = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[type_]
    if name == "F32":
        return random.standard_normal((ROWS, COLUMNS)).astype(numpy.float32)
    if name == "F16":
        return random.standard_normal((ROWS, COLUMNS)).astype(numpy.float16)
    if name == "BF16":
        return gguf.quants.quantize(random.standard_normal((ROWS, COLUMNS)).astype(numpy.float32), type_)
    data = random.randint(0, 256, (ROWS, COLUMNS // elements, size), dtype=numpy.uint8)
    for at in SCALES[name]:
        scales = (0.01 * random.standard_normal(data.shape[:2])).astype(numpy.float16)
        data[:, :, at:at + 2] = scales.view(numpy.uint8).reshape(*data.shape[:2], 2)
    return data.reshape(ROWS, -1)


def make(folder):
    random = numpy.random.RandomState(7)
    writer = gguf.GGUFWriter(folder / "types.gguf", "llama")
    writer.add_context_length(32)
    writer.add_token_list(["<s>", "你好", "a"])
    writer.add_token_scores([0.0, -1.5, -2.0])
    floats = {}
    for name in TYPES:
        type_ = gguf.GGMLQuantizationType[name]
        data = blocks(name, random)
        writer.add_tensor(name, data, raw_dtype=type_)
        floats[name] = gguf.quants.dequantize(data, type_).astype(numpy.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(floats, folder / "types.safetensors")


def open_exported(folder):
    """What GgufTest wrote of a golden model, read by the gguf package, is what transformers holds."""
    problems = []
    for file in sorted(folder.glob("*.gguf")):
        case, weights = file.stem.rsplit(".", 1)
        reader = gguf.GGUFReader(file)
        heads = int(reader.fields["llama.attention.head_count"].contents())
        kv_heads = int(reader.fields["llama.attention.head_count_kv"].contents())
        floats = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
        model = AutoModelForCausalLM.from_pretrained(GOLDEN / case, dtype=torch.float32)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
        for key, value in model.state_dict().items():
            name = names.get_name(key, try_suffixes=(".weight",))
            if name not in floats and key == "lm_head.weight" and model.config.tie_word_embeddings:
                continue
            wanted = value.numpy()
            for part, n in (("q_proj", heads), ("k_proj", kv_heads)):
                if part in key:
                    wanted = wanted.reshape(n, 2, wanted.shape[0] // n // 2, -1).swapaxes(1, 2).reshape(wanted.shape)
            step = numpy.abs(wanted).max() * {"f32": 0, "f16": 2 ** -11, "q8_0": 1 / 127}[weights]
            distance = float(numpy.abs(wanted - floats.pop(name)).max())
            if distance > step:
                problems.append(f"{file.name}: {key} differs by up to {distance}")
        if set(floats) - {"rope_freqs.weight"}:
            problems.append(f"{file.name}: also holds {sorted(floats)}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--exported", type=pathlib.Path, help="directory with files that Caravan wrote")
    arguments = parser.parse_args()
    problems = []
    golden = GOLDEN / "gguf"
    if arguments.check:
        with tempfile.TemporaryDirectory() as temporary:
            make(pathlib.Path(temporary))
            a, b = (load_file(pathlib.Path(f) / "types.safetensors") for f in (temporary, golden))
            problems += [f"{key} differs" for key in a if not numpy.array_equal(a[key], b[key])]
    elif not arguments.exported:
        golden.mkdir(parents=True, exist_ok=True)
        make(golden)
    if arguments.exported:
        problems += open_exported(arguments.exported)
    print("\n".join(problems) if problems else "no differences")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
