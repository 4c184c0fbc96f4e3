"""The peer of train-cuda: the same Llama in PyTorch with torch.compile, scaled_dot_product_attention and fused AdamW.

torch_llama.py speed|train|decode key=value…   with the keys of caravan.model.engine.cuda.CudaBench; prints a line BENCH {json}.
Weights are fp32 masters under bf16 autocast (weights=autocast), or bf16 with fp32 masters stepped apart (weights=bf16).
"""

import json
import math
import sys
import time

import numpy
import torch
import torch.nn.functional as F
from torch import nn


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight.float(), 1e-5).to(x.dtype)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        width = (c["heads"] + 2 * c["kv"]) * c["dim"]
        self.attention_norm = Norm(c["hidden"])
        self.qkv = nn.Linear(c["hidden"], width, bias=False)
        self.attention_output = nn.Linear(c["heads"] * c["dim"], c["hidden"], bias=False)
        self.mlp_norm = Norm(c["hidden"])
        self.gate_up = nn.Linear(c["hidden"], 2 * c["inter"], bias=False)
        self.down = nn.Linear(c["inter"], c["hidden"], bias=False)

    def forward(self, x, cos, sin):
        c = self.c
        batch, seq, _ = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, seq, -1, c["dim"]).transpose(1, 2)
        q, k, v = qkv.split([c["heads"], c["kv"], c["kv"]], 1)
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.attention_output(o.transpose(1, 2).reshape(batch, seq, -1))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def next(self, x, cos, sin, position, mask):
        """One token over a static cache."""
        c = self.c
        qkv = self.qkv(self.attention_norm(x)).view(1, 1, -1, c["dim"]).transpose(1, 2)
        q, k, v = qkv.split([c["heads"], c["kv"], c["kv"]], 1)
        self.keys.index_copy_(2, position, turn(k, cos, sin))
        self.values.index_copy_(2, position, v)
        o = F.scaled_dot_product_attention(turn(q, cos, sin), self.keys, self.values, attn_mask=mask, enable_gqa=True)
        x = x + self.attention_output(o.transpose(1, 2).reshape(1, 1, -1))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


def turn(x, cos, sin):
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embedding = nn.Embedding(c["vocab"], c["hidden"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.final_norm = Norm(c["hidden"])
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0, 0.02)
        frequencies = 10_000 ** (-torch.arange(0, c["dim"], 2, dtype=torch.float64) / c["dim"])
        angles = torch.outer(torch.arange(c["seq"], dtype=torch.float64), frequencies)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            if self.c.get("recompute") == "block":
                x = torch.utils.checkpoint.checkpoint(block, x, self.cos, self.sin, use_reentrant=False)
            else:
                x = block(x, self.cos, self.sin)
        logits = F.linear(self.final_norm(x), self.embedding.weight)
        return F.cross_entropy(logits.float().view(-1, self.c["vocab"]), targets.view(-1))

    def next(self, id, position):
        """The id after one at a position: greedy, over caches of fixed size."""
        x = self.embedding(id)
        cos, sin = self.cos[position], self.sin[position]
        mask = (torch.arange(self.blocks[0].keys.shape[2], device=x.device) <= position).view(1, 1, 1, -1)
        for block in self.blocks:
            x = block.next(x, cos, sin, position, mask)
        return F.linear(self.final_norm(x), self.embedding.weight).argmax(-1)

    def load(self, file):
        """The flat fp32 parameters in the order of Caravan's ParameterLayout."""
        flat = torch.from_numpy(numpy.fromfile(file, "<f4"))
        at = 0
        tensors = [self.embedding.weight]
        for b in self.blocks:
            tensors += [b.attention_norm.weight, b.qkv.weight, b.attention_output.weight, b.mlp_norm.weight,
                        b.gate_up.weight, b.down.weight]
        tensors.append(self.final_norm.weight)
        with torch.no_grad():
            for t in tensors:
                t.copy_(flat[at:at + t.numel()].view(t.shape))
                at += t.numel()
        assert at == flat.numel(), (at, flat.numel())


class Training:
    def __init__(self, c, decay):
        self.c = c
        self.model = Llama(c).cuda()
        if "weights_file" in c:
            self.model.load(c["weights_file"])
        self.halves = c.get("weights", "autocast") == "bf16"
        self.masters = list(self.model.parameters())
        if self.halves:
            self.masters = [p.detach().clone().requires_grad_() for p in self.model.parameters()]
            for p in self.model.parameters():
                p.data = p.data.bfloat16()
        groups = [{"params": [p for p in self.masters if p.dim() > 1], "weight_decay": decay},
                  {"params": [p for p in self.masters if p.dim() == 1], "weight_decay": 0}]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.forward = torch.compile(self.model)

    def step(self, ids, targets, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cuda", torch.bfloat16, enabled=not self.halves):
            loss = self.forward(ids, targets)
        loss.backward()
        if self.halves:
            for master, p in zip(self.masters, self.model.parameters()):
                master.grad = p.grad.float()
                p.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.halves:
            torch._foreach_copy_([p.data for p in self.model.parameters()], [m.data for m in self.masters])
        return loss.detach(), norm.detach()


def speed(c):
    training = Training(c, 0.1)
    batches = [torch.randint(0, c["vocab"], (2, c["batch"], c["seq"]), device="cuda") for _ in range(3)]
    for i in range(5):
        training.step(*batches[i % 3], 1e-4)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for i in range(c["steps"]):
        training.step(*batches[i % 3], 1e-4)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    tokens = c["steps"] * c["batch"] * c["seq"]
    return {"part": "speed", "tokens_per_second": round(tokens / seconds, 1),
            "milliseconds_per_step": round(1e3 * seconds / c["steps"], 3),
            "memory": {"peak": torch.cuda.max_memory_allocated()}}


def train(c):
    training = Training(c, float(c["decay"]))
    data = torch.from_numpy(numpy.fromfile(c["data"], "<i4")).view(c["steps"], c["batch"], c["seq"] + 1).long().cuda()
    losses, norms = [], []
    for step in range(c["steps"]):
        rate = 1e-3 * (step + 1) / 50 if step < 50 else \
            1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 50) / (c["steps"] - 50))) * 9e-4
        loss, norm = training.step(data[step, :, :-1].contiguous(), data[step, :, 1:].contiguous(), rate)
        losses.append(loss)
        norms.append(norm)
    return {"part": "train", "losses": [round(x.item(), 5) for x in losses], "norms": [round(x.item(), 5) for x in norms]}


def decode(c):
    """Greedy tokens after a prompt, torch.compile in a CUDA graph, each id read by the host: by mode=reduce-overhead, or captured by hand."""
    length = c["prompt"] + c["tokens"] + 1
    with torch.no_grad():
        model = Llama({**c, "seq": length}).cuda().bfloat16()
        for block in model.blocks:
            for name in ("keys", "values"):
                block.register_buffer(name, torch.randn(1, c["kv"], length, c["dim"], device="cuda", dtype=torch.bfloat16))
        id, position = torch.ones(1, 1, dtype=torch.long, device="cuda"), torch.zeros(1, dtype=torch.long, device="cuda")
        automatic = torch.compile(model.next, mode="reduce-overhead", fullgraph=True)
        compiled = torch.compile(model.next, fullgraph=True)
        compiled(id, position)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            id.copy_(compiled(id, position))
            position.add_(1)

        def by_mode():
            id.copy_(automatic(id, position))
            position.add_(1)

        rates = {}
        for name, step in (("by_mode", by_mode), ("by_hand", graph.replay)):
            for tokens in (8, c["tokens"]):
                position.fill_(c["prompt"])
                torch.cuda.synchronize()
                start = time.perf_counter()
                for _ in range(tokens):
                    step()
                    id.item()
                rates[name] = round(tokens / (time.perf_counter() - start), 1)
        return {"part": "decode", "tokens_per_second": max(rates.values()), **rates}


if __name__ == "__main__":
    torch.set_float32_matmul_precision("high")
    options = dict(pair.split("=", 1) for pair in sys.argv[2:])
    settings = {k: int(v) if v.lstrip("-").isdigit() else v for k, v in options.items()}
    print("BENCH " + json.dumps({"speed": speed, "train": train, "decode": decode}[sys.argv[1]](settings)), flush=True)
