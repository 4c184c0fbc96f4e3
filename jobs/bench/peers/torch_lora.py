"""The peer of train-cuda's LoRA part: peft's adapters on transformers' Llama, torch.compile, scaled_dot_product_attention, fused AdamW.

torch_lora.py key=value…   with the keys of caravan.model.engine.cuda.CudaBench; prints a line BENCH {json}.
The base is bf16, the adapters are fp32 under bf16 autocast, as peft makes them.
"""

import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main(c):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = LlamaConfig(hidden_size=c["hidden"], intermediate_size=c["inter"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
                        num_key_value_heads=c["kv"], head_dim=c["dim"], vocab_size=c["vocab"], max_position_embeddings=c["context"],
                        tie_word_embeddings=True, attn_implementation="sdpa", use_cache=False)
    with torch.device(device):
        base = LlamaForCausalLM(shape).bfloat16()
    model = get_peft_model(base, LoraConfig(r=c["rank"], lora_alpha=2 * c["rank"], lora_dropout=0.0, target_modules=PROJECTIONS))
    trained = [p for p in model.parameters() if p.requires_grad]
    for p in trained:
        p.data = p.data.float()
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model)

    def step(ids, targets):
        with torch.autocast(device, torch.bfloat16):
            logits = forward(input_ids=ids).logits
            loss = torch.nn.functional.cross_entropy(logits.float().view(-1, c["vocab"]), targets.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    batches = [torch.randint(0, c["vocab"], (2, c["batch"], c["seq"]), device=device) for _ in range(3)]
    for i in range(5):
        step(*batches[i % 3])
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    wait()
    start = time.perf_counter()
    for i in range(c["steps"]):
        loss = step(*batches[i % 3])
    wait()
    seconds = time.perf_counter() - start
    return {"part": "lora", "parameters": sum(p.numel() for p in trained), "loss": round(loss.item(), 5),
            "tokens_per_second": round(c["steps"] * c["batch"] * c["seq"] / seconds, 1),
            "milliseconds_per_step": round(1e3 * seconds / c["steps"], 3),
            "memory": {"peak": torch.cuda.max_memory_allocated()}}


if __name__ == "__main__":
    torch.set_float32_matmul_precision("high")
    options = dict(pair.split("=", 1) for pair in sys.argv[1:])
    settings = {k: int(v) if v.lstrip("-").isdigit() else v for k, v in options.items()}
    print("BENCH " + json.dumps(main(settings)), flush=True)
