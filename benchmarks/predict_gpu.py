"""Predictions per second on one GPU: hf and vllm against one-by-one `generate`, in one run, beside the hardware's floor.

python benchmarks/predict_gpu.py [--requests 2048] [--engines hf,vllm] [--output table.json]

Random weights in the shape of Llama-3.2-1B (speed doesn't depend on the weights), prompts of 400 to 800 tokens that
begin with the same task description, 80 new tokens each. "text" writes the 80 tokens alone, as one-by-one does;
"predict" is the whole prediction, with the probabilities of all 39 skills after it. The engines run in turn in processes
of their own, so that each has the card's memory to itself.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from random_llama import SHAPES, make_dialogues, make_model

from thanos.engines import load_engine
from thanos.engines.protocol import Request
from thanos.predict.request import SKILL_CHOICES
from thanos.prompts import load_prompt

NEW_TOKENS = 80
ONE_BY_ONE = 8
"""Rows that one-by-one is timed on: it takes about a second each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2048)
    parser.add_argument("--engines", default="hf,vllm")
    parser.add_argument("--shape", default="llama-3.2-1b", choices=SHAPES)
    parser.add_argument("--batch-size", type=int, default=None, help="hf: rows decoded together")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print("RESULT " + json.dumps(run_part(args.part, args.folder, args)), flush=True)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), args.shape)
        torch.cuda.empty_cache()
        for part in ["floor", "one-by-one", *args.engines.split(",")]:
            command = [sys.executable, __file__, "--part", part, "--folder", folder, "--shape", args.shape]
            command += ["--requests", str(args.requests)]
            command += ["--batch-size", str(args.batch_size)] if args.batch_size else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            result = next((line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
            rows += json.loads(result) if result else [{"what": part, "error": f"exit code {done.returncode}"}]
            print(rows[-1], file=sys.stderr, flush=True)
    report(rows)
    if args.output:
        args.output.write_text(json.dumps(rows, indent=1))


def run_part(part: str, folder: str, args: argparse.Namespace) -> list[dict]:
    requests = make_requests(folder, args.requests, choices=None)
    if part == "floor":
        return [floor(folder, requests)]
    if part == "one-by-one":
        return [one_by_one(folder, requests[:ONE_BY_ONE])]
    started = time.perf_counter()
    options = {"batch_size": args.batch_size} if part == "hf" else {}
    engine = load_engine(f"{part}/{folder}", **options)
    start_up = time.perf_counter() - started
    list(engine.generate(requests[: min(64, len(requests))]))  # kernels are chosen and compiled here
    rows = []
    for what, asked in (("text", requests), ("predict", make_requests(folder, args.requests, SKILL_CHOICES))):
        started = time.perf_counter()
        results = list(engine.generate(asked))
        seconds = time.perf_counter() - started
        written = sum(r.usage.completion_tokens for r in results) / len(results)
        assert len(results) == len(asked) and all(bool(r.scores) == (what == "predict") for r in results)
        print(f"{part} {what}: {seconds:.1f} s", file=sys.stderr, flush=True)
        rows.append({"what": f"{part} {what}", "n": len(results), "seconds": seconds, "rate": len(results) / seconds,
                     "new tokens": written, "start-up": start_up})  # fmt: skip
    return rows


def make_requests(folder: str, n: int, choices) -> list[Request]:
    """Requests whose prompts have 400 to 800 tokens."""
    dialogues = make_dialogues(n, (92, 372))
    prompt = load_prompt("thanos")
    return [
        Request(key=i, messages=prompt.render(d), max_tokens=NEW_TOKENS, choices=choices)
        for i, d in enumerate(dialogues)
    ]


def one_by_one(folder: str, requests: list[Request]) -> dict:
    """The published script's way: `generate` on one prompt after the other."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", attn_implementation="sdpa").to(device).eval()
    seconds = 0.0
    for n, request in enumerate([requests[0], *requests]):
        inputs = tokenizer.apply_chat_template(
            request.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        synchronise()
        started = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(
                **inputs.to(device), max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False
            )
        out.tolist()
        seconds += (time.perf_counter() - started) * (n > 0)  # the first warms up
    return {
        "what": "one by one",
        "n": len(requests),
        "seconds": seconds,
        "rate": len(requests) / seconds,
        "new tokens": NEW_TOKENS,
    }


def floor(folder: str, requests: list[Request]) -> dict:
    """The least time that the operations and the bytes of `text` take at the card's measured rates."""
    from transformers import AutoConfig, AutoTokenizer

    from thanos.engines.chat_tokens import encode_chat
    from thanos.engines.hf.engine import GPU_BATCH

    config, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    prompts = [encode_chat(tokenizer, r.messages) for r in requests]
    lengths = [len(p) for p in prompts]
    head = next(i for i, tokens in enumerate(zip(*prompts, strict=False)) if len(set(tokens)) > 1)
    kv = config.num_key_value_heads * config.head_dim
    width, inner = config.hidden_size, config.intermediate_size
    layer = 2 * width * width + 2 * width * kv + 3 * width * inner
    body, embedding = config.num_hidden_layers * layer, config.vocab_size * width
    n = len(requests)
    computed = sum(lengths) - n * head + head + n * NEW_TOKENS
    attended = sum((x - head) * (x + head) / 2 + NEW_TOKENS * (x + NEW_TOKENS / 2) for x in lengths)
    operations = 2 * body * computed + 2 * embedding * n * NEW_TOKENS
    operations += 4 * config.num_hidden_layers * width * attended
    steps = NEW_TOKENS * -(-n // GPU_BATCH)
    read = sum(NEW_TOKENS * (x + NEW_TOKENS / 2) for x in lengths) * 2 * kv * config.num_hidden_layers * 2
    read += steps * (body + embedding) * 2
    flops, bandwidth = measure_rates()
    seconds = max(operations / flops, read / bandwidth)
    return {"what": "floor", "n": n, "rate": n / seconds, "seconds": seconds, "prompt tokens": [min(lengths), sum(lengths) / n, max(lengths)],
            "common head": head, "operations": operations, "bytes": read, "flop/s": flops, "bytes/s": bandwidth,
            "seconds for operations": operations / flops, "seconds for bytes": read / bandwidth}  # fmt: skip


def measure_rates() -> tuple[float, float]:
    """Measured operations/s of an 8192-cubed bfloat16 product and bytes/s (read and written) of a 4 GB copy."""
    if not torch.cuda.is_available():
        return float("nan"), float("nan")
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    big = torch.randint(0, 255, (2**31,), device="cuda", dtype=torch.uint8)
    out = torch.empty_like(big)
    return 2 * 8192**3 / timed(lambda: a @ b), 2 * 2**31 / timed(lambda: out.copy_(big))


def timed(call, repeats: int = 10) -> float:
    for _ in range(3):
        call()
    synchronise()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    synchronise()
    return (time.perf_counter() - started) / repeats


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def report(rows: list[dict]) -> None:
    base = next((row["rate"] for row in rows if row["what"] == "one by one"), None)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"\n{card}, torch {torch.__version__}")
    print(f"{'':14}{'rows':>6}{'seconds':>10}{'rows/s':>10}{'ratio':>9}{'start-up s':>12}")
    for row in rows:
        if "error" in row:
            print(f"{row['what']:14}{row['error']}")
            continue
        ratio = f"{row['rate'] / base:8.1f}x" if base else ""
        print(
            f"{row['what']:14}{row['n']:6}{row['seconds']:10.2f}{row['rate']:10.2f}{ratio:>9}{row.get('start-up', 0):12.1f}"
        )
    low = next((row for row in rows if row["what"] == "floor"), {})
    if low:
        print(
            f"prompt tokens (least, mean, most) {[round(x) for x in low['prompt tokens']]}, common head {low['common head']}"
        )
        print(f"floor: {low['operations']:.3g} operations at {low['flop/s']:.3g}/s = {low['seconds for operations']:.2f} s; "
              f"{low['bytes']:.3g} bytes at {low['bytes/s']:.3g}/s = {low['seconds for bytes']:.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
