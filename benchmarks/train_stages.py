"""Where a training step's time goes: every matrix product and kernel of a layer by itself, and a profile of whole steps."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from thanos.train.packed import elementwise
from thanos.train.packed.attention import attend
from thanos.train.packed.batch import Layout
from thanos.train.packed.lora_linear import wide_product
from thanos.train.packed.loss import token_loss


def measure_stages(shape: dict, rank: int, tokens: int, device: str, path: Path) -> dict:
    """Write a table of times a call and rates; all products of one layer, forward and backward, for so many tokens."""
    width, inner = shape["hidden_size"], shape["intermediate_size"]
    kv = shape["num_key_value_heads"] * shape["head_dim"]
    own = shape["num_attention_heads"] * shape["head_dim"]
    new = lambda *size: torch.randn(*size, device=device, dtype=torch.bfloat16) / size[-1] ** 0.5
    lines, total = [], 0.0

    def note(name: str, call: Callable, operations: float = 0.0, count: int = 1) -> None:
        nonlocal total
        seconds = timed(call, device)
        total += count * seconds
        rate = f"{operations / seconds / 1e12:8.0f} TFLOP/s" if operations else ""
        lines.append(f"{name:38}{1e6 * seconds:10.0f} us x{count}{rate}")

    groups = {"qkv": (width, (own, kv, kv)), "o": (own, (width,)), "gate_up": (width, (inner, inner)), "down": (inner, (width,))}  # fmt: skip
    for name, (fan_in, outs) in groups.items():
        out, ranks = sum(outs), rank * len(outs)
        x, dy, w, a, b = new(tokens, fan_in), new(tokens, out), new(out, fan_in), new(ranks, fan_in), new(outs[0], rank)
        y, h = x @ w.T, x @ a.T
        first = slice(0, outs[0])
        note(f"{name} x W'", lambda x=x, w=w: x @ w.T, 2 * tokens * fan_in * out)
        note(f"{name} x A'", lambda x=x, a=a: x @ a.T, 2 * tokens * fan_in * ranks)
        note(
            f"{name} y += h B' (first of {len(outs)})",
            lambda y=y, h=h, b=b, f=first: y[:, f].addmm_(h[:, :rank], b.T),
            2 * tokens * rank * outs[0],
            len(outs),
        )
        note(f"{name} dy W", lambda dy=dy, w=w: dy @ w, 2 * tokens * fan_in * out)
        note(
            f"{name} dh = dy B",
            lambda dy=dy, h=h, b=b, f=first: h[:, :rank].addmm_(dy[:, f], b, beta=0),
            2 * tokens * rank * outs[0],
            len(outs),
        )
        note(f"{name} dx += dh A", lambda x=x, h=h, a=a: x.addmm_(h, a), 2 * tokens * fan_in * ranks)
        note(f"{name} dA", lambda x=x, h=h: wide_product(h.T, x), 2 * tokens * fan_in * ranks)
        note(
            f"{name} dB",
            lambda dy=dy, h=h, f=first: wide_product(dy[:, f].T, h[:, :rank]),
            2 * tokens * rank * outs[0],
            len(outs),
        )
        del x, dy, w, a, b, y, h
    x, weight = new(tokens, width), torch.ones(width, device=device, dtype=torch.bfloat16)
    run = elementwise.fused
    note("add and norm", lambda: run(elementwise._add_norm)(x, x, weight, 1e-5), count=2)
    note("add and norm, backward", lambda: run(elementwise._add_norm_backward)(x, x, x, weight, 1e-5), count=2)
    joint, d = new(tokens, 2 * inner), new(tokens, inner)
    note("gate", lambda: run(elementwise._gate)(joint))
    note("gate, backward", lambda: run(elementwise._gate_backward)(joint, d))
    heads, kv_heads, size = shape["num_attention_heads"], shape["num_key_value_heads"], shape["head_dim"]
    qkv, cos = new(tokens, own + 2 * kv), new(tokens, size)
    q, k, v = run(elementwise._rotate)(qkv, cos, cos, heads, kv_heads)
    note("rotate", lambda: run(elementwise._rotate)(qkv, cos, cos, heads, kv_heads))
    note("rotate, backward", lambda: run(elementwise._rotate_backward)(q, k, v, cos, cos))
    starts = torch.arange(0, tokens + 1, 600, device=device, dtype=torch.int32)
    layout = Layout(starts, 600, starts, 600, starts)
    n = int(starts[-1])
    q, k, v = (t[:n].requires_grad_() for t in (q, k, v))
    note("attention", lambda: attend(q, k, v, layout, 0.125), 2 * own * n * 600)
    out = attend(q, k, v, layout, 0.125)
    note("attention, backward", lambda: torch.autograd.grad(out, (q, k, v), out, retain_graph=True), 5 * own * n * 600)
    lines.append(f"{'one layer':38}{1e6 * total:10.0f} us")
    trained = tokens * 90 // 600
    hidden, head = new(trained, width).requires_grad_(), new(shape["vocab_size"], width)
    labels = torch.randint(0, shape["vocab_size"], (trained,), device=device)
    note(
        "head, loss and gradient",
        lambda: token_loss(hidden, head, labels, torch.ones_like(labels, dtype=torch.float32)),
        4 * trained * head.numel(),
    )
    parameters = [
        torch.randn(1 << 20, device=device, requires_grad=True) for _ in range(180 if device == "cuda" else 2)
    ]
    for p in parameters:
        p.grad = torch.randn_like(p)
    optimizer = torch.optim.AdamW(parameters, fused=device == "cuda")
    note("AdamW, 180 M", optimizer.step)
    note("clip", lambda: torch.nn.utils.clip_grad_norm_(parameters, 1.0))
    path.write_text("\n".join(lines) + "\n")
    return {"one layer, us": round(1e6 * total)}


def timed(call: Callable, device: str) -> float:
    """Seconds a call, by the GPU's clock."""
    if device != "cuda":
        started = time.perf_counter()
        call()
        return time.perf_counter() - started
    for _ in range(3):
        call()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(5):
        call()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 5e3


def profile_step(step: Callable, path: Path) -> None:
    """Profile two steps and write the kernels by time."""
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    launched = time.perf_counter() - started
    torch.cuda.synchronize()
    whole = time.perf_counter() - started
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        step()
        step()
        torch.cuda.synchronize()
    table = profiler.key_averages().table(sort_by="self_device_time_total", row_limit=60, max_name_column_width=110)
    path.write_text(f"launching a step took {launched:.3f} s, all of it {whole:.3f} s\n{table}\n")
