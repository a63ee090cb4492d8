"""Training tokens per second on one GPU: ours against the original's recipe and TRL's defaults, in one run.

python benchmarks/train_gpu.py [--rows 48] [--steps 12] [--output table.json] [--profile FOLDER]

Random weights in the shape of Llama-3.2-1B (speed doesn't depend on them), LoRA r=256 on all seven linear layers,
sequences of 300 to 900 random tokens of which the last 90 are trained. All ways see the same sequences; only real
tokens are counted, never padding. Beside the table stands the floor: the operations that the step can't do without, at
the measured rate of a large matrix product.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch
from random_llama import SHAPES
from train_stages import measure_stages, profile_step
from transformers import LlamaConfig, LlamaForCausalLM

from thanos.train.packed.batch import Example, Layout, pack
from thanos.train.packed.llama import PackedLlama

LENGTHS, COMPLETION = (300, 900), 90
RANK = 256
BASELINE_ROWS = 8
WARM_UP = 4
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="48,32", help="rows in one of our steps; several, with commas, are all timed")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--shape", default="llama-3.2-1b", choices=SHAPES)
    parser.add_argument("--lengths", type=int, nargs=2, default=LENGTHS)
    parser.add_argument("--only", default="floor,check,ours,trl,original,stages")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--profile", type=Path, help="folder for the kernels of a step and the times of its stages")
    args = parser.parse_args()
    table = []
    ways = {"floor": floor, "check": check, "ours": ours, "original": original, "trl": trl_defaults, "stages": stages}
    for name in args.only.split(","):
        for rows in map(int, args.rows.split(",")) if name == "ours" else [BASELINE_ROWS]:
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
    report(table)


def make_examples(args: argparse.Namespace, n: int) -> list[Example]:
    generator = torch.Generator().manual_seed(0)
    vocabulary = SHAPES[args.shape]["vocab_size"]
    draw = lambda count: torch.randint(0, vocabulary, (count,), generator=generator).tolist()
    lengths = torch.randint(args.lengths[0], args.lengths[1] + 1, (n,), generator=generator).tolist()
    return [Example(draw(length - COMPLETION), draw(COMPLETION)) for length in lengths]


def make_model(args: argparse.Namespace, dropout: float):
    """The base in bfloat16 with PEFT's adapters, which it keeps in float32."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    return get_peft_model(make_base(args), lora_config(dropout, LoraConfig))


def make_base(args: argparse.Namespace) -> LlamaForCausalLM:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(DEVICE):
            return LlamaForCausalLM(LlamaConfig(**SHAPES[args.shape], attn_implementation="sdpa"))
    finally:
        torch.set_default_dtype(before)


def lora_config(dropout: float, kind):
    return kind(r=RANK, lora_alpha=RANK, lora_dropout=dropout, target_modules=LAYERS, task_type="CAUSAL_LM")


def ours(args: argparse.Namespace, rows: int) -> dict:
    model = make_model(args, dropout=0.0)
    packed = PackedLlama(model.get_base_model())
    examples = make_examples(args, rows * (WARM_UP + args.steps))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=DEVICE == "cuda")

    def step(batch: list[Example]) -> torch.Tensor:
        loss = packed_loss(packed, batch)
        loss.backward()
        return finish(model, optimizer, loss)

    entry = timed(step, [examples[i : i + rows] for i in range(0, len(examples), rows)])
    if args.profile and DEVICE == "cuda":
        profile_step(lambda: step(examples[:rows]), args.profile / f"kernels-{rows}.txt")
    return entry


def original(args: argparse.Namespace, rows: int) -> dict:
    """Padded batches of 8, PEFT as it comes, dropout 0.05, logits of every position."""
    model = make_model(args, dropout=0.05).train()
    examples = make_examples(args, rows * (WARM_UP + args.steps))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=DEVICE == "cuda")

    def step(batch: list[Example]) -> torch.Tensor:
        loss = padded_loss(model, batch)
        loss.backward()
        return finish(model, optimizer, loss)

    return timed(step, [examples[i : i + rows] for i in range(0, len(examples), rows)])


def packed_loss(packed: PackedLlama, batch: list[Example]) -> torch.Tensor:
    inputs = {k: v.to(DEVICE) if isinstance(v, torch.Tensor) else v for k, v in pack(batch).items()}
    layout = Layout(**{k: inputs.pop(k) for k in ("starts", "longest", "tails", "longest_tail", "keep")})
    return packed.loss(**inputs, layout=layout) / len(inputs["labels"])


def padded_loss(model, batch: list[Example]) -> torch.Tensor:
    longest = max(len(e.prompt + e.completion) for e in batch)
    fill = lambda ids, value: ids + [value] * (longest - len(ids))
    ids = [fill(e.prompt + e.completion, 0) for e in batch]
    labels = [fill([-100] * len(e.prompt) + e.completion, -100) for e in batch]
    seen = [fill([1] * len(e.prompt + e.completion), 0) for e in batch]
    names = ("input_ids", "labels", "attention_mask")
    inputs = {name: torch.tensor(value).to(DEVICE) for name, value in zip(names, (ids, labels, seen), strict=True)}
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        return model(**inputs, use_cache=False).loss


def check(args: argparse.Namespace, rows: int) -> dict:
    """The packed loss and gradients beside those of transformers and PEFT, both in bfloat16."""
    model = make_model(args, dropout=0.0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    batch, gradients, losses = make_examples(args, rows), [], []
    for loss_of in (lambda: padded_loss(model, batch), lambda: packed_loss(PackedLlama(model.get_base_model()), batch)):
        losses.append(loss_of())
        losses[-1].backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
        model.zero_grad(set_to_none=True)
    cosines = [torch.cosine_similarity(a.flatten(), b.flatten(), dim=0).item() for a, b in zip(*gradients, strict=True)]
    return {"losses": [loss.item() for loss in losses], "least cosine of gradients": min(cosines)}


def finish(model, optimizer, loss: torch.Tensor) -> torch.Tensor:
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def timed(step, batches: list[list[Example]]) -> dict:
    """Run all batches; the first ones warm up."""
    losses, first = [], time.perf_counter()
    for n, batch in enumerate(batches):
        if n == WARM_UP:
            synchronise()
            started = time.perf_counter()
        losses.append(step(batch))
        if n == 0:
            synchronise()
            first = time.perf_counter() - first
    synchronise()
    seconds = time.perf_counter() - started
    tokens = sum(len(e.prompt) + len(e.completion) for batch in batches[WARM_UP:] for e in batch)
    return {
        "tokens/s": tokens / seconds,
        "seconds a step": seconds / (len(batches) - WARM_UP),
        "memory, GB": peak(),
        "first step, s": first,
        "losses": [round(float(loss), 3) for loss in losses[:2] + losses[-1:]],
    }


def trl_defaults(args: argparse.Namespace, rows: int) -> dict:
    """SFTTrainer with a LoraConfig and nothing else chosen, but for what keeps files and reports away.

    Rows that are tokenised already lose its default for prompts with completions, to train completions alone."""
    from datasets import Dataset
    from peft import LoraConfig
    from random_llama import make_tokenizer
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    steps = WARM_UP + args.steps
    examples = make_examples(args, rows * steps)
    table = {
        "input_ids": [e.prompt + e.completion for e in examples],
        "completion_mask": [[0] * len(e.prompt) + [1] * len(e.completion) for e in examples],
    }
    times, tokens = [], []

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            synchronise()
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(folder, max_steps=steps, completion_only_loss=True, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=DEVICE == "cpu")  # fmt: skip
        trainer = SFTTrainer(
            make_base(args), config, train_dataset=Dataset.from_dict(table), peft_config=lora_config(0.0, LoraConfig),
            processing_class=make_tokenizer(SHAPES[args.shape]["vocab_size"]), callbacks=[Clock()],
        )  # fmt: skip
        plain = trainer.training_step

        def counting(model, inputs, *rest):
            tokens.append(inputs["attention_mask"].sum())
            return plain(model, inputs, *rest)

        trainer.training_step = counting
        trainer.train()
    seconds = times[-1] - times[WARM_UP - 1]
    return {
        "tokens/s": sum(int(n) for n in tokens[WARM_UP:]) / seconds,
        "seconds a step": seconds / args.steps,
        "memory, GB": peak(),
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


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


def synchronise() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def peak() -> float:
    return round(torch.cuda.max_memory_allocated() / 1e9, 1) if DEVICE == "cuda" else 0.0


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
