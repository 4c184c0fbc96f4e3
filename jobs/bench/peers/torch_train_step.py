"""The peer of train-step: a Llama in PyTorch on the CPU, scaled_dot_product_attention and fused AdamW. Each projection has a
matrix of its own and grouped keys are repeated: on this device both are faster than one fused matrix and enable_gqa.

torch_train_step.py MODE key=value…   MODE is eager, compile, autocast (bf16) or peft (eager, adapters of rank 8 by PEFT). Each line of standard input asks for something,
each line of output answers: `block N` takes N steps on random tokens and prints their seconds; `peak BITS` prints the GFLOP/s of
the machine's best product of two 2,048 × 2,048 matrices in fp32 (32) or bf16 (16).
"""

import contextlib
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

DIFFERENT_BATCHES = 16


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-5)).type_as(x) * self.gain


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.group, self.dim = c["heads"], c["heads"] // c["kv"], c["dim"]
        self.query = nn.Linear(c["hidden"], c["heads"] * c["dim"], bias=False)
        self.key = nn.Linear(c["hidden"], c["kv"] * c["dim"], bias=False)
        self.value = nn.Linear(c["hidden"], c["kv"] * c["dim"], bias=False)
        self.output = nn.Linear(c["heads"] * c["dim"], c["hidden"], bias=False)

    def forward(self, x, cos, sin):
        batch, seq, _ = x.shape
        q, k, v = (f(x).view(batch, seq, -1, self.dim) for f in (self.query, self.key, self.value))
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        if self.group > 1:
            k, v = k.repeat_interleave(self.group, 2), v.repeat_interleave(self.group, 2)
        o = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
        return self.output(o.transpose(1, 2).reshape(batch, seq, -1))


def turn(x, cos, sin):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(3).type_as(x)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention_norm, self.attention, self.mlp_norm = Norm(c["hidden"]), Attention(c), Norm(c["hidden"])
        self.gate = nn.Linear(c["hidden"], c["inter"], bias=False)
        self.up = nn.Linear(c["hidden"], c["inter"], bias=False)
        self.down = nn.Linear(c["inter"], c["hidden"], bias=False)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attention_norm(x), cos, sin)
        h = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.vocab = c["vocab"]
        self.embedding = nn.Embedding(c["vocab"], c["hidden"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.final_norm = Norm(c["hidden"])
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
        frequencies = 10_000 ** (-torch.arange(0, c["dim"], 2) / c["dim"])
        angles = torch.outer(torch.arange(c["seq"]), frequencies)[:, None, :]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = F.linear(self.final_norm(x), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, self.vocab).float(), targets.view(-1))


class Training:
    def __init__(self, mode, c):
        model = Llama(c)
        if mode == "peft":
            import peft

            names = ["query", "key", "value", "output", "gate", "up", "down"]
            model = peft.inject_adapter_in_model(peft.LoraConfig(r=8, lora_alpha=16, target_modules=names), model)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        groups = [{"params": [p for p in self.parameters if p.dim() > 1], "weight_decay": 0.1},
                  {"params": [p for p in self.parameters if p.dim() == 1], "weight_decay": 0}]
        self.optimizer = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.forward = torch.compile(model) if mode == "compile" else model
        self.half = mode == "autocast"

    def step(self, ids, targets):
        with torch.autocast("cpu", torch.bfloat16) if self.half else contextlib.nullcontext():
            loss = self.forward(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


def peak(dtype, size=2048, tries=8):
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    best = 0
    for _ in range(tries):
        start = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best


def main():
    mode, *pairs = sys.argv[1:]
    c = {key: int(value) for key, value in (pair.split("=", 1) for pair in pairs)}
    torch.manual_seed(1)
    torch.set_num_threads(c["threads"])
    training = Training(mode, c)
    batches = [torch.randint(0, c["vocab"], (c["batch"], c["seq"] + 1)) for _ in range(DIFFERENT_BATCHES)]
    print("ready", flush=True)
    at = 0
    for line in sys.stdin:
        what, number = line.split()
        if what == "peak":
            print(peak({"32": torch.float32, "16": torch.bfloat16}[number]), flush=True)
            continue
        start = time.perf_counter()
        for _ in range(int(number)):
            batch = batches[at % DIFFERENT_BATCHES]
            training.step(batch[:, :-1].contiguous(), batch[:, 1:].contiguous())
            at += 1
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
