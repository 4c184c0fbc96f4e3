"""Golden files of torch.save for TorchModelTest, in model/src/test/resources/golden/torch.

    $(jobs/venv model/src/test/python/requirements.txt)/bin/python model/src/test/python/make_torch.py

The weights are those of make_golden.py's cases, so that what is read must equal what is read of their safetensors files.
views.pt has one tensor per way that a tensor can lie in its storage, views.safetensors the same tensors copied out.
"""
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

GOLDEN = pathlib.Path(__file__).parent.parent / "resources" / "golden"
TORCH = GOLDEN / "torch"
META = {"input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm", "q_proj": "attention.wq",
        "k_proj": "attention.wk", "v_proj": "attention.wv", "o_proj": "attention.wo", "gate_proj": "feed_forward.w1",
        "up_proj": "feed_forward.w3", "down_proj": "feed_forward.w2"}


def model(case):
    return LlamaForCausalLM.from_pretrained(GOLDEN / case, dtype="auto")


def meta_state(case):
    """The weights under Meta's names, queries and keys in Meta's rotary order; a tied head is the embedding itself."""
    hugging_face = model(case)
    state = {}
    for key, value in hugging_face.state_dict().items():
        path = key.split(".")
        if path[1] == "layers":
            name = f"layers.{path[2]}.{META[path[-2]]}.weight"
        else:
            name = {"model.embed_tokens.weight": "tok_embeddings.weight", "model.norm.weight": "norm.weight",
                    "lm_head.weight": "output.weight"}[key]
        if path[-2] in ("q_proj", "k_proj"):
            heads = value.shape[0] // hugging_face.config.head_dim
            value = value.view(heads, 2, -1, value.shape[1]).transpose(1, 2).reshape(value.shape)
        state[name] = value
    return hugging_face.config, state


def make_llama2c():
    """As llama2.c's train.py saves it: a compiled model's names, the optimizer beside, plain settings."""
    config, state = meta_state("tied")
    embedding = torch.nn.Parameter(state["tok_embeddings.weight"])
    optimizer = torch.optim.AdamW([embedding], lr=5e-4, betas=(0.9, 0.95))
    embedding.grad = torch.ones_like(embedding)
    optimizer.step()
    arguments = dict(dim=config.hidden_size, n_layers=config.num_hidden_layers, n_heads=config.num_attention_heads,
                     n_kv_heads=config.num_key_value_heads, vocab_size=config.vocab_size, multiple_of=4,
                     max_seq_len=config.max_position_embeddings, dropout=0.0)
    _, state = meta_state("tied")
    torch.save({"model": {"_orig_mod." + key: value for key, value in state.items()}, "optimizer": optimizer.state_dict(),
                "model_args": arguments, "iter_num": 1000, "best_val_loss": torch.tensor(1.25),
                "config": {"out_dir": "out", "learning_rate": 5e-4, "compile": True, "init_from": "scratch"}},
               TORCH / "ckpt.pt")


def make_meta():
    config, state = meta_state("tied")
    folder = TORCH / "meta"
    folder.mkdir(exist_ok=True)
    state["output.weight"] = state["output.weight"].clone()
    state["rope.freqs"] = 10000.0 ** -(torch.arange(0, config.head_dim, 2) / config.head_dim)
    torch.save(state, folder / "consolidated.00.pth")
    parameters = dict(dim=config.hidden_size, n_layers=config.num_hidden_layers, n_heads=config.num_attention_heads,
                      multiple_of=8, norm_eps=1e-5, vocab_size=-1)
    (folder / "params.json").write_text(json.dumps(parameters) + "\n")


def make_hugging_face():
    """One file of a module's own state dict, and bfloat16 in two files with their index."""
    single = TORCH / "single"
    single.mkdir(exist_ok=True)
    shutil.copy(GOLDEN / "grouped-untied" / "config.json", single)
    torch.save(model("grouped-untied").state_dict(), single / "pytorch_model.bin")

    sharded = TORCH / "sharded"
    sharded.mkdir(exist_ok=True)
    shutil.copy(GOLDEN / "multi-query-bfloat16" / "config.json", sharded)
    state = model("multi-query-bfloat16").state_dict()
    names = list(state)
    index = {}
    for part, keys in ((1, names[:4]), (2, names[4:])):
        file = f"pytorch_model-{part:05}-of-00002.bin"
        torch.save({key: state[key] for key in keys}, sharded / file)
        index |= {key: file for key in keys}
    size = sum(t.numel() * t.element_size() for t in state.values())
    (sharded / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {"total_size": size}, "weight_map": index}, indent=1) + "\n")


def make_views():
    """Shared storages, offsets, transposed and permuted dimensions, gaps, one element for many; three types."""
    grid = torch.arange(60.0).reshape(6, 10) / 7 - 3
    cube = torch.arange(24.0).reshape(2, 3, 4).sin()
    views = {"whole": grid, "transposed": grid.T, "rows": grid[2:5], "columns": grid[:, 3:7], "every_other": grid[::2, 1::3],
             "permuted": cube.permute(2, 0, 1), "scalar": cube[1, 2, 3], "one_row": grid[4:5].T, "empty": grid[:0],
             "parameter": torch.nn.Parameter(grid[1]), "repeated": torch.tensor([[1.5], [2.5], [-4.0]]).as_strided((3,), (1,)),
             "overlapping": torch.arange(8.0).as_strided((3, 2), (1, 2)), "half": (grid * 1000).half().T,
             "subnormal_half": torch.tensor([6e-8, -6e-8, 65504.0, 0.0], dtype=torch.half),
             "bfloat16": (grid * 1e30).bfloat16()[:, ::3]}
    torch.save(views, TORCH / "views.pt")
    save_file({key: value.detach().float().contiguous().clone() for key, value in views.items()}, TORCH / "views.safetensors")


def main():
    TORCH.mkdir(exist_ok=True)
    make_llama2c()
    make_meta()
    make_hugging_face()
    make_views()
    torch.save({"a": torch.ones(3)}, TORCH / "legacy.pt", _use_new_zipfile_serialization=False)
    print(TORCH)


if __name__ == "__main__":
    main()
