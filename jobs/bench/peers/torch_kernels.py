"""Every CUDA kernel of model/src/main/cuda on the GPU at hand: against PyTorch in float64, and its speed beside PyTorch's.

torch_kernels.py check|time…   check compares on random inputs, with outputs poisoned before; time prints attention beside
scaled_dot_product_attention (flash backend) and the share of the copy rate that the other kernels reach.
Needs torch and cupy of CUDA 13. Under the sanitizer: PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer python3 torch_kernels.py check
Launch geometry is what the comments above the kernels say. Status 1 when a comparison is wrong.
"""

import ctypes
import math
import os
import sys
import tempfile
from pathlib import Path

import cupy
import numpy
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

SOURCES = Path(__file__).resolve().parents[3] / "model/src/main/cuda"
CUDA, BF16, F32, F64 = "cuda", torch.bfloat16, torch.float32, torch.float64
REAL_TOLERANCE, FLOAT_TOLERANCE = 6e-3, 5e-6


def machine_code():
    """The bf16 kernels for this GPU, by the NVRTC that PyTorch brings."""
    major, minor = torch.cuda.get_device_capability()
    target = f"sm_{major}{minor}" + ("a" if (major, minor) == (9, 0) else "")
    nvrtc = ctypes.CDLL(str(Path(torch.__file__).parents[1] / "nvidia/cu13/lib/libnvrtc.so.13"))
    names = (SOURCES / "kernels.txt").read_text().split()
    source = "".join(f'#include "{name}"\n' for name in names)
    texts = (ctypes.c_char_p * len(names))(*[(SOURCES / name).read_bytes() for name in names])
    titles = (ctypes.c_char_p * len(names))(*[name.encode() for name in names])
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", len(names), texts, titles)
    options = [b"--std=c++17", b"-DREAL_BF16=1", f"--gpu-architecture={target}".encode()]
    if nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options)) != 0:
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        sys.exit(f"torch_kernels: {target}: {log.value.decode()}")
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    code = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, code)
    return code.raw, major


class Kernels:
    def __init__(self):
        code, self.major = machine_code()
        self.file = Path(tempfile.gettempdir()) / f"torch_kernels.{os.getpid()}.{id(self)}.cubin"
        self.file.write_bytes(code)
        self.module = cupy.RawModule(path=str(self.file))
        self.loaded = {}

    def launch(self, name, grid, threads, shared, *arguments):
        if name not in self.loaded:
            self.loaded[name] = self.module.get_function(name)
            self.loaded[name].max_dynamic_shared_size_bytes = max(shared, 48 << 10)
        slots = [slot(argument) for argument in arguments]
        self.loaded[name](tuple(grid) + (1,) * (3 - len(grid)), (threads, 1, 1), tuple(slots), shared_mem=shared)

    def attention(self, width):
        """(suffix, tile of queries, of keys, threads of the forward, of q's, of kv's, shared bytes of each)"""
        if width > 128 or width % 8 != 0:
            return "plain", 4, 4, 128, 128, 128, 0, 0, 0
        if self.major == 9:
            tile = 64 if width <= 64 else 128
            return (f"hopper_{tile}", 128, 128, 256, 256, 256) + ((49152, 65536, 101376) if tile == 64 else (163840, 196608, 132608))
        tile = 64 if width <= 64 else 96 if width <= 96 else 128
        shared = {64: (55296, 55296, 56064), 96: (53248, 79872, 81408), 128: (69632, 104448, 105984)}[tile]
        return (str(tile), 128, 128 if tile == 64 else 64, 128, 256 if tile == 128 else 128, 128) + shared


def slot(argument):
    if argument is None:
        return numpy.uint64(0)
    if isinstance(argument, torch.Tensor):
        return numpy.uint64(argument.data_ptr())
    if isinstance(argument, int):
        return numpy.int32(argument)
    return numpy.float32(argument) if isinstance(argument, float) else argument


def ceil_div(a, b):
    return -(-a // b)


def row_threads(width, most=1024):
    return min(most, ceil_div(ceil_div(width, 8), 32) * 32)


def poison(*shape, dtype=F32):
    return torch.full(shape, float("nan"), dtype=dtype, device=CUDA)


def normal(*shape, dtype=F32, deviation=1.0, mean=0.0):
    return (torch.randn(*shape, device=CUDA) * deviation + mean).to(dtype)


wrong = 0


def expect_near(what, got, wanted, tolerance):
    global wrong
    error = ((got.double() - wanted.double()).norm() / (wanted.double().norm() + 1e-30)).item()
    near = error <= tolerance
    wrong += not near
    print(f"{'ok' if near else 'WRONG'} {what}: relative error {error:.2e}, allowed {tolerance:.1e}", flush=True)


class Attention:
    """One attention's inputs, and its launches."""

    def __init__(self, kernels, batch, seq, heads, groups, width, documents=False):
        self.kernels, self.shape = kernels, (batch, seq, heads, groups, width)
        rows = batch * seq
        self.qkv, self.dout = normal(rows, (heads + 2 * groups) * width, dtype=BF16), normal(rows, heads * width, dtype=BF16)
        self.out, self.dqkv = poison(rows, heads * width, dtype=BF16), poison(*self.qkv.shape, dtype=BF16)
        self.lse, self.delta = poison(batch, heads, seq), poison(batch, heads, seq)
        self.starts = None
        if documents:
            cut = torch.rand(batch, seq, device=CUDA) < 0.02
            cut[:, 0] = True
            self.starts = torch.where(cut, torch.arange(seq, device=CUDA), 0).cummax(1).values.int().contiguous()

    def forward(self):
        batch, seq, heads, groups, width = self.shape
        suffix, queries, _, threads, _, _, shared, _, _ = self.kernels.attention(width)
        row = (heads + 2 * groups) * width
        parts = [numpy.uint64(self.qkv.data_ptr() + 2 * at * width) for at in (0, heads, heads + groups)]
        self.kernels.launch(f"attention_{suffix}", (heads, batch, ceil_div(seq, queries)), threads, shared, self.out, self.lse, *parts,
                            seq, seq, heads, groups, width, row, row, self.starts)

    def backward(self):
        batch, seq, heads, groups, width = self.shape
        suffix, queries, keys, _, q_threads, kv_threads, _, q_shared, kv_shared = self.kernels.attention(width)
        self.kernels.launch("attention_delta", (heads, batch, ceil_div(seq, 16)), 128, 0, self.delta, self.dout, self.out, seq, heads, width)
        arguments = (self.dqkv, self.dout, self.qkv, self.lse, self.delta, seq, heads, groups, width, self.starts)
        self.kernels.launch(f"attention_backward_q_{suffix}", (heads, batch, ceil_div(seq, queries)), q_threads, q_shared, *arguments)
        self.kernels.launch(f"attention_backward_kv_{suffix}", (groups, batch, ceil_div(seq, keys)), kv_threads, kv_shared, *arguments)

    def heads_of(self, tensor):
        """[batch, head, seq, width] queries, keys and values."""
        batch, seq, heads, groups, width = self.shape
        split = tensor.view(batch, seq, heads + 2 * groups, width).transpose(1, 2).split([heads, groups, groups], 1)
        return [part.detach().requires_grad_() for part in split]

    def check(self):
        batch, seq, heads, groups, width = self.shape
        q, k, v = self.heads_of(self.qkv.double())
        ks, vs = (x.repeat_interleave(heads // groups, 1) for x in (k, v))
        at = torch.arange(seq, device=CUDA)
        hidden = (at[None, :] > at[:, None])[None, None]
        if self.starts is not None:
            hidden = hidden | (at < self.starts[:, None, :, None])
        scores = (q @ ks.transpose(2, 3) / math.sqrt(width)).masked_fill(hidden, -math.inf)
        out = scores.softmax(-1) @ vs
        gradients = torch.autograd.grad(out, (q, k, v), self.dout.double().view(batch, seq, heads, width).transpose(1, 2))
        self.forward()
        self.backward()
        name = f"attention_{self.kernels.attention(width)[0]} {self.shape}{'' if self.starts is None else ' documents'}"
        expect_near(name + " out", self.out, out.detach().transpose(1, 2).reshape(batch * seq, -1), REAL_TOLERANCE)
        expect_near(name + " lse", self.lse, scores.detach().logsumexp(-1), FLOAT_TOLERANCE)
        expect_near(name + " dqkv", self.dqkv, torch.cat(gradients, 1).transpose(1, 2).reshape(batch * seq, -1), 2 * REAL_TOLERANCE)
        once = self.dqkv.clone()
        self.backward()
        expect_near(name + " repeats bit by bit", self.dqkv, once, 0)


def check_rows(kernels):
    n = 37
    for d in (576, 30, 2048, 8200):
        x, gain, delta, dy = normal(n, d, deviation=1.5), normal(d, deviation=0.2, mean=1), normal(n, d, dtype=BF16), normal(n, d, dtype=BF16)
        y, rstd, total, copy = poison(n, d, dtype=BF16), poison(n), poison(n, d), poison(n, d, dtype=BF16)
        kernels.launch("add_rmsnorm", (n,), row_threads(d), 0, y, rstd, total, x, delta, gain, d, 1e-5)
        sums = (x.double() + delta.double()).requires_grad_()
        gains = gain.double().requires_grad_()
        normed = sums * (sums.pow(2).mean(1, keepdim=True) + 1e-5).rsqrt() * gains
        expect_near(f"add_rmsnorm {d}", y, normed.detach(), REAL_TOLERANCE)
        expect_near(f"add_rmsnorm's sum {d}", total, sums.detach(), FLOAT_TOLERANCE)
        dx, partial, dgain = normal(n, d), poison(7, d), poison(d)
        start = dx.double()
        kernels.launch("rmsnorm_backward", (7,), row_threads(d, 512), 4 * d, dx, copy, partial, dy, total, rstd, gain, n, d)
        kernels.launch("reduce_rows", (ceil_div(d, 32),), 256, 0, dgain, partial, 7, d, 0)
        wanted, wanted_gain = torch.autograd.grad(normed, (sums, gains), dy.double())
        expect_near(f"rmsnorm_backward {d}", dx, start + wanted, FLOAT_TOLERANCE)
        expect_near(f"rmsnorm_backward's gain {d}", dgain, wanted_gain, FLOAT_TOLERANCE)
    for f in (1536, 50, 5632):
        gate_up, dh = normal(n, 2 * f, dtype=BF16, deviation=2), normal(n, f, dtype=BF16)
        h, again = poison(n, f, dtype=BF16), poison(n, f, dtype=BF16)
        inputs = gate_up.double().requires_grad_()
        gate, up = inputs.split(f, 1)
        wanted = F.silu(gate) * up
        gradient, = torch.autograd.grad(wanted, inputs, dh.double())
        threads = min(256, row_threads(f))
        grid = (n, ceil_div(ceil_div(f, 8), threads))
        kernels.launch("swiglu", grid, threads, 0, h, gate_up, f)
        kernels.launch("swiglu_backward", grid, threads, 0, gate_up, again, dh, gate_up, f)
        expect_near(f"swiglu {f}", h, wanted.detach(), REAL_TOLERANCE)
        expect_near(f"swiglu_backward {f}", gate_up, gradient, REAL_TOLERANCE)
    for v in (49152, 1000, 50257):
        stride = ceil_div(v, 8) * 8
        logits, loss = normal(n, stride, dtype=BF16, deviation=3), poison(n)
        targets = torch.randint(0, v, (n,), device=CUDA, dtype=torch.int32)
        targets[3] = -1
        inputs = logits[:, :v].double().requires_grad_()
        wanted = F.cross_entropy(inputs, targets.long(), ignore_index=-1, reduction="none")
        gradient, = torch.autograd.grad(wanted.sum(), inputs)
        kernels.launch("cross_entropy", (n,), 256 if v < 8192 else 1024, 0, logits, loss, targets, v, stride, 0.125)
        expect_near(f"cross_entropy {v}", loss, wanted.detach(), FLOAT_TOLERANCE)
        expect_near(f"cross_entropy's gradient {v}", logits[:, :v], gradient * 0.125, REAL_TOLERANCE)


def check_adamw(kernels):
    n = 5_000_003
    p, m, v, g, copy = normal(n), normal(n), normal(n).abs(), normal(n), poison(n, dtype=BF16)
    ends, decays = torch.tensor([5, 3_000_001, n], device=CUDA), torch.tensor([0.0, 0.1, 0.2], device=CUDA)
    partial, clip = poison(264, dtype=F64), poison(2)
    scaled = g.double() / g.double().norm()
    first, second = m.double() * 0.9 + 0.1 * scaled, v.double() * 0.95 + 0.05 * scaled * scaled
    decay = decays.double()[torch.searchsorted(ends, torch.arange(n, device=CUDA), right=True)]
    wanted = p.double() - 0.02 * first / (second.sqrt() * 1.3 + 1e-8) - 0.2 * decay * p.double()
    kernels.launch("sum_squares", (264,), 256, 0, partial, g, numpy.int64(n))
    kernels.launch("clip_factor", (1,), 256, 0, clip, partial, 264, 1.0)
    kernels.launch("adamw", (ceil_div(n, 2048),), 256, 0, p, m, v, g, copy, clip, ends, decays, 3, numpy.int64(n), 0.02, 1.3, 0.9, 0.1, 0.95,
                   0.05, 1e-8, 0.2)
    expect_near("adamw", p, wanted, FLOAT_TOLERANCE)
    expect_near("adamw's second moments", v, second, FLOAT_TOLERANCE)


def check_decoding(kernels):
    for rows, cols in ((1000, 576), (77, 50)):
        w, x, gain, y, h = normal(2 * rows, cols, dtype=BF16), normal(cols), normal(cols), poison(rows), poison(rows)
        scaled = x.double() * gain.double() * (x.double().square().mean() + 1e-5).rsqrt()
        product = w.double() @ scaled
        kernels.launch("norm_gemv", (ceil_div(rows, 8),), 128, 0, y, None, w, x, gain, rows, cols, 1e-5)
        kernels.launch("norm_gemv_swiglu", (ceil_div(rows, 4),), 128, 0, h, w, x, gain, rows, cols, 1e-5)
        expect_near(f"norm_gemv {rows} × {cols}", y, product[:rows], FLOAT_TOLERANCE)
        expect_near(f"norm_gemv_swiglu {rows} × {cols}", h, F.silu(product[:rows]) * product[rows:], FLOAT_TOLERANCE)
        wanted = y.double() + w[:rows].double() @ x.double()
        kernels.launch("add_gemv", (ceil_div(rows, 4),), 128, 0, y, w, x, rows, cols)
        expect_near(f"add_gemv {rows} × {cols}", y, wanted, FLOAT_TOLERANCE)
    for length, shares, heads, groups, width in ((1, 2, 4, 2, 64), (3001, 12, 32, 8, 128)):
        qkv, cache = normal(heads + 2 * groups, width, dtype=BF16), normal(length, 2 * groups * width, dtype=BF16)
        # Angles of 0: nothing turns.
        table = torch.cat((torch.ones(length, width // 2, device=CUDA), torch.zeros(length, width // 2, device=CUDA)), 1)
        state, arrived = torch.tensor([0, length - 1], device=CUDA, dtype=torch.int32), torch.zeros(heads, device=CUDA, dtype=torch.int32)
        partial, out = poison(heads * shares * (width + 2)), poison(heads, width)
        kernels.launch("decode_attention", (heads, shares), 128, 0, out, partial, arrived, qkv, cache, table, state, heads, groups, width)
        k, v = (x.view(length, groups, width).repeat_interleave(heads // groups, 1) for x in cache.double().split(groups * width, 1))
        p = (torch.einsum("hd,lhd->hl", qkv[:heads].double(), k) / math.sqrt(width)).softmax(1)
        expect_near(f"decode_attention {length}", out, torch.einsum("hl,lhd->hd", p, v), REAL_TOLERANCE)
        expect_near(f"decode_attention's row {length}", cache[-1].view(2 * groups, width), qkv[heads:].double(), 0)


def check(kernels):
    for shape in ((2, 300, 4, 2, 64, True), (1, 257, 3, 1, 64), (1, 97, 2, 1, 48, True), (1, 200, 2, 2, 80), (2, 333, 4, 1, 96, True),
                  (2, 290, 4, 2, 128, True), (1, 1, 1, 1, 8), (1, 130, 2, 1, 20, True), (1, 70, 2, 2, 256)):
        Attention(kernels, *shape).check()
    check_rows(kernels)
    check_adamw(kernels)
    check_decoding(kernels)


def milliseconds(run, repeats=20):
    """Median of three means."""
    means = []
    for _ in range(4):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(repeats):
            run()
        end.record()
        torch.cuda.synchronize()
        means.append(begin.elapsed_time(end) / repeats)
    return sorted(means[1:])[1]


def time_attention(kernels):
    print(f"{'batch, seq, heads, groups, width':36}{'forward ms':>12}{'TFLOP/s':>9}{'torch ms':>10}{'backward ms':>13}{'TFLOP/s':>9}{'torch ms':>10}")
    for shape in ((8, 2048, 9, 3, 64), (4, 2048, 32, 8, 64), (2, 4096, 32, 8, 128)):
        a = Attention(kernels, *shape)
        batch, seq, heads, groups, width = shape
        q, k, v = a.heads_of(a.qkv)
        gradient = a.dout.view(batch, seq, heads, width).transpose(1, 2)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            peer = milliseconds(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            peer_back = milliseconds(lambda: torch.autograd.grad(y, (q, k, v), gradient, retain_graph=True))
        ours, ours_back = milliseconds(a.forward), milliseconds(a.backward)
        work = 2e-9 * batch * heads * seq * seq * width
        print(f"{str(shape):36}{ours:12.3f}{work / ours:9.0f}{peer:10.3f}{ours_back:13.3f}{2.5 * work / ours_back:9.0f}{peer_back:10.3f}", flush=True)


def time_rows(kernels):
    a, b = (torch.empty(1 << 30, dtype=torch.uint8, device=CUDA) for _ in range(2))
    copy = 2 * (1 << 30) / milliseconds(lambda: b.copy_(a)) / 1e6
    print(f"copy: {copy:.0f} GB/s read and written")

    def share(name, moved, *launch):
        rate = moved / milliseconds(lambda: kernels.launch(name, *launch)) / 1e6
        print(f"{name:24}{rate:8.0f} GB/s{rate / copy:7.0%} of a copy", flush=True)

    n, d, f, v = 16384, 2048, 8192, 49152
    blocks = torch.cuda.get_device_properties(0).multi_processor_count * (2048 // row_threads(d, 512))
    x, gain, y, delta, rstd, total = normal(n, d), normal(d), poison(n, d, dtype=BF16), normal(n, d, dtype=BF16), normal(n), normal(n, d)
    share("add_rmsnorm", 12 * n * d, (n,), row_threads(d), 0, y, rstd, total, x, delta, gain, d, 1e-5)
    share("rmsnorm_backward", 16 * n * d, (blocks,), row_threads(d, 512), 4 * d, total, y, poison(blocks, d), delta, x, rstd, gain, n, d)
    gate_up, h, dh = normal(n, 2 * f, dtype=BF16), poison(n, f, dtype=BF16), normal(n, f, dtype=BF16)
    grid = (n, ceil_div(f // 8, 256))
    share("swiglu", 6 * n * f, grid, 256, 0, h, gate_up, f)
    share("swiglu_backward", 12 * n * f, grid, 256, 0, torch.empty_like(gate_up), h, dh, gate_up, f)
    logits, targets = normal(n // 2, v, dtype=BF16), torch.randint(0, v, (n // 2,), device=CUDA, dtype=torch.int32)
    share("cross_entropy", 4 * logits.numel(), (n // 2,), 1024, 0, logits, poison(n // 2), targets, v, v, 1.0)
    m = 100_000_000
    weights = [normal(m) for _ in range(4)]
    ends, decays, clip = torch.tensor([m], device=CUDA), torch.zeros(1, device=CUDA), torch.ones(2, device=CUDA)
    share("adamw", 30 * m, (ceil_div(m, 2048),), 256, 0, weights[0], weights[1], weights[2].abs_(), weights[3], poison(m, dtype=BF16), clip, ends,
          decays, 1, numpy.int64(m), 1e-4, 1.0, 0.9, 0.1, 0.95, 0.05, 1e-8, 1e-4)
    w, row, gain, out = normal(128256, 4096, dtype=BF16), normal(4096), normal(4096), poison(128256)
    share("norm_gemv", 2 * w.numel(), (128256 // 8,), 128, 0, out, None, w, row, gain, 128256, 4096, 1e-5)


if __name__ == "__main__":
    parts = {"check": [check], "time": [time_attention, time_rows]}
    if len(sys.argv) < 2 or any(part not in parts for part in sys.argv[1:]):
        sys.exit("usage: torch_kernels.py check|time…, got: " + " ".join(sys.argv[1:]))
    built = Kernels()
    for part in sys.argv[1:]:
        for run in parts[part]:
            run(built)
    built.file.unlink()
    sys.exit(1 if wrong else 0)
