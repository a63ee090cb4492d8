"""Predictions per minute on a CPU: the embedded engine against the published script, with the same weights, in one run.

python benchmarks/predict_cpu.py [--prompts 64] [--threads 2]

Both sides write up to 80 greedy tokens for the same prompts. The published script's way is transformers' `generate` in
float32, one prompt after the other. "predict" is a whole prediction, with the probabilities of all 39 skills. Then
whole processes are timed: the first prediction from the start of the process on, and `thanos --help`.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
NEW_TOKENS = 80
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    requests = make_requests(args.prompts)
    print(f"{date.today()}, {processor()}, {args.threads} threads, at most {NEW_TOKENS} new tokens")
    ours = time_embedded(requests)
    theirs = time_published(requests, args.threads)
    print(f"{'':32}{'prompts':>8}{'tokens out':>12}{'seconds':>10}{'per minute':>12}{'ratio':>8}")
    for name, seconds, tokens in [theirs, *ours]:
        rate = 60 * len(requests) / seconds
        print(f"{name:32}{len(requests):8}{tokens:12.1f}{seconds:10.1f}{rate:12.1f}{theirs[1] / seconds:7.1f}x")
    example = str(ROOT / "examples" / "burgers.txt")
    for arguments in (["predict", example], ["predict", example, "--mode", "direct"], ["--help"]):
        times = sorted(time_command(arguments) for _ in range(REPEATS))
        shown = " ".join(a.replace(str(ROOT) + "/", "") for a in arguments)
        median, low, high = statistics.median(times), times[0], times[-1]
        print(f"thanos {shown}: median {median:.2f} s, {low:.2f} to {high:.2f} s of {REPEATS} runs")


def make_requests(n: int):
    """Prompts from the project's own dialogues."""
    from thanos.dialogue import read_rows
    from thanos.engines.protocol import Request
    from thanos.prompts import load_prompt

    prompt = load_prompt("thanos")
    rows = list(read_rows(str(ROOT / "examples" / "original.jsonl")))
    chosen = rows[:: len(rows) // n][:n]  # of every skill, not only of the first ones
    return [Request(key=row.line, messages=prompt.render(row.dialogue), max_tokens=NEW_TOKENS) for row in chosen]


def time_embedded(requests) -> list[tuple[str, float, float]]:
    from dataclasses import replace

    from thanos.engines import load_engine
    from thanos.predict.request import SKILL_CHOICES

    out = []
    for name, model, choices, options in (
        ("embedded/base, one by one", "embedded/base", None, {"batch_size": 1}),
        ("embedded/base", "embedded/base", None, {}),
        ("embedded/base, predict", "embedded/base", SKILL_CHOICES, {}),
        ("embedded, predict", "embedded", SKILL_CHOICES, {}),
    ):
        engine = load_engine(model, **options)
        next(engine.generate(requests[:1]))
        started = time.perf_counter()
        results = list(engine.generate(replace(request, choices=choices) for request in requests))
        seconds = time.perf_counter() - started
        assert len(results) == len(requests)
        out.append((name, seconds, statistics.mean(r.usage.completion_tokens for r in results)))
        engine.close()
    return out


def time_published(requests, threads: int) -> tuple[str, float, float]:
    import torch

    from thanos.engines.chat_tokens import encode_chat
    from thanos.engines.embedded.base import base_path
    from thanos.engines.hf.load import load

    torch.set_num_threads(threads)
    tokenizer, model = load(str(base_path()), None, torch.device("cpu"))
    seconds, tokens = 0.0, []
    for n, request in enumerate([requests[0], *requests]):
        ids = torch.tensor([encode_chat(tokenizer, request.messages)])
        started = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False,
                pad_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
        if n:  # the first warms up
            seconds += time.perf_counter() - started
            tokens.append(out.shape[1] - ids.shape[1])
    return "transformers generate, published", seconds, statistics.mean(tokens)


def time_command(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "thanos", *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def processor() -> str:
    """The processor's name, and which of the instructions that matter here it has."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    has = [name for name in ("avx2", "avx512f", "avx512_vnni") if name in fields.get("flags", "").split()]
    return f"{fields.get('model name', platform.processor())} ({', '.join(has)})"


if __name__ == "__main__":
    main()
