"""Training tokens per second on one GPU: ours against the original's recipe and TRL's defaults, in one run.

python benchmarks/train_gpu.py [--rows 48] [--steps 12] [--output table.json] [--profile FOLDER]
torchrun --nproc-per-node 2 benchmarks/train_gpu.py --only trainer    # both GPUs; with 1 it's one of them

"ours" is a plain loop over the packed step, "trainer" what `thanos train` runs.

Random weights in the shape of Llama-3.2-1B (speed doesn't depend on them), LoRA r=256 on all seven linear layers,
sequences of 300 to 900 random tokens of which the last 90 are trained. All ways see the same sequences; only real
tokens are counted, never padding. Beside the table stands the floor: the operations that the step can't do without, at
the measured rate of a large matrix product.
"""

import argparse
import gc
import json
import os
import sys
import time
import traceback
from pathlib import Path

import torch
from random_llama import SHAPES
from train_stages import measure_stages
from train_ways import (
    COMPLETION,
    DEVICE,
    RANK,
    check,
    make_examples,
    original,
    ours,
    synchronise,
    trainer,
    trl_defaults,
)

LENGTHS = (300, 900)
BASELINE_ROWS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="48,32", help="rows in one of our steps; several, with commas, are all timed")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--shape", default="llama-3.2-1b", choices=SHAPES)
    parser.add_argument("--lengths", type=int, nargs=2, default=LENGTHS)
    parser.add_argument("--only", default="floor,check,ours,trainer,trl,original,stages")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--profile", type=Path, help="folder for the kernels of a step and the times of its stages")
    args = parser.parse_args()
    table = []
    ways = {
        "floor": floor,
        "check": check,
        "ours": ours,
        "trainer": trainer,
        "original": original,
        "trl": trl_defaults,
        "stages": stages,
    }
    for name in args.only.split(","):
        for rows in map(int, args.rows.split(",")) if name in ("ours", "trainer") else [BASELINE_ROWS]:
            started = time.perf_counter()
            try:
                entry = {"what": name, "rows": rows, **ways[name](args, rows)}
            except Exception as error:  # one way that fails must not take the others' figures along
                traceback.print_exc()
                entry = {"what": name, "rows": rows, "error": f"{type(error).__name__}: {error}".splitlines()[0]}
            entry["all in all, s"] = round(time.perf_counter() - started, 1)
            table.append(entry)
            print(entry, file=sys.stderr, flush=True)
            if args.output:
                args.output.write_text(json.dumps(table, indent=1))
            gc.collect()
            if DEVICE == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
    if int(os.environ.get("RANK", 0)) == 0:
        report(table)


def floor(args: argparse.Namespace, rows: int) -> dict:
    """Operations of a step on real tokens: 2 a weight and token forward, 2 for the input's gradient, and for the low-rank
    weights 2 more for their own; attention of each token to those before it; logits where a token is trained."""
    shape = SHAPES[args.shape]
    width, inner, depth = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"]
    kv = shape["num_key_value_heads"] * shape["head_dim"]
    own = shape["num_attention_heads"] * shape["head_dim"]
    sizes = {"q": (width, own), "k": (width, kv), "v": (width, kv), "o": (own, width), "gate": (width, inner), "up": (width, inner), "down": (inner, width)}  # fmt: skip
    cost = {name: 4 * a * b + 6 * RANK * (a + b) for name, (a, b) in sizes.items()}
    examples = make_examples(args, 4096)
    lengths = [len(e.prompt) + len(e.completion) for e in examples]
    tokens, trained = sum(lengths), COMPLETION * len(lengths)
    everywhere = sum(cost.values())
    operations = (depth - 1) * everywhere * tokens + (cost["k"] + cost["v"]) * tokens
    operations += (everywhere - cost["k"] - cost["v"]) * trained  # the last layer
    operations -= sum(2 * a * b for a, b in (sizes["q"], sizes["k"], sizes["v"])) * tokens  # nothing below the first
    # Two products forward (2 operations each), five backward: the scores are computed again.
    attended = sum(n * n / 2 for n in lengths)
    tails = sum(COMPLETION * (n - COMPLETION / 2) for n in lengths)
    operations += 14 * own * ((depth - 1) * attended + tails)
    operations += 4 * width * shape["vocab_size"] * trained
    rate = matrix_rate()
    return {"operations a token": operations / tokens, "operations/s": rate, "tokens/s": rate * tokens / operations}


def matrix_rate() -> float:
    """Operations a second of an 8192-cubed bfloat16 product of random numbers."""
    n = 8192 if DEVICE == "cuda" else 512
    a, b = (torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        a @ b
    synchronise()
    started = time.perf_counter()
    for _ in range(20):
        a @ b
    synchronise()
    return 20 * 2 * n**3 / (time.perf_counter() - started)


def stages(args: argparse.Namespace, rows: int) -> dict:
    if not args.profile:
        return {}
    return measure_stages(
        SHAPES[args.shape], RANK, 28800 if DEVICE == "cuda" else 600, DEVICE, args.profile / "stages.txt"
    )


def report(table: list[dict]) -> None:
    card = torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU"
    rate = {entry["what"]: entry["tokens/s"] for entry in reversed(table) if "tokens/s" in entry}
    print(f"\n{card}, torch {torch.__version__}")
    print(f"{'':12}{'rows':>6}{'tokens/s':>10}{'s a step':>10}{'GB':>7}{'of floor':>10}{'x original':>12}{'x TRL':>8}")
    for entry in table:
        if "least cosine of gradients" in entry or (entry["what"] == "stages" and "error" not in entry):
            continue
        if "tokens/s" not in entry:
            print(f"{entry['what']:12}{entry['rows']:6} {entry.get('error', '')}")
            continue
        times = lambda name, own=entry["tokens/s"]: f"{own / rate[name]:.2f}" if name in rate else ""
        print(
            f"{entry['what']:12}{entry['rows']:6}{entry['tokens/s']:10.0f}{entry.get('seconds a step', 0):10.3f}"
            f"{entry.get('memory, GB', 0):7.1f}{times('floor'):>10}{times('original'):>12}{times('trl'):>8}"
        )
    same = next((entry for entry in table if "least cosine of gradients" in entry), None)
    if same:
        print(
            f"losses of transformers and ours {same['losses']}, least cosine of gradients {same['least cosine of gradients']:.4f}"
        )
    low = next((entry for entry in table if entry["what"] == "floor" and "tokens/s" in entry), None)
    if low:
        print(f"floor: {low['operations a token']:.3g} operations a token at {low['operations/s']:.3g}/s")


if __name__ == "__main__":
    main()
