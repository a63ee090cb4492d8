"""The ways to train that `train_gpu.py` compares, on the same sequences of random tokens."""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from random_llama import SHAPES
from train_stages import profile_step
from transformers import LlamaConfig, LlamaForCausalLM

from thanos.train.packed.batch import Example, Layout, pack
from thanos.train.packed.llama import PackedLlama

COMPLETION = 90
RANK = 256
WARM_UP = 4
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


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


def stepper(model, loss_of: Callable[[list[Example]], torch.Tensor]) -> Callable[[list[Example]], torch.Tensor]:
    """A step of AdamW over what is trainable; takes a batch and returns its loss."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=DEVICE == "cuda")

    def step(batch: list[Example]) -> torch.Tensor:
        loss = loss_of(batch)
        loss.backward()
        return finish(model, optimizer, loss)

    return step


def ours(args: argparse.Namespace, rows: int) -> dict:
    model = make_model(args, dropout=0.0)
    packed = PackedLlama(model.get_base_model())
    examples = make_examples(args, rows * (WARM_UP + args.steps))
    step = stepper(model, lambda batch: packed_loss(packed, batch))
    entry = timed(step, [examples[i : i + rows] for i in range(0, len(examples), rows)])
    if args.profile and DEVICE == "cuda":
        profile_step(lambda: step(examples[:rows]), args.profile / f"kernels-{rows}.txt")
    return entry


def trainer(args: argparse.Namespace, rows: int) -> dict:
    """What `thanos train` runs, from encoded rows on, with its defaults; under torchrun on every GPU, `rows` on each."""
    from accelerate import PartialState
    from random_llama import make_model
    from transformers import PrinterCallback

    from thanos.train.config import TrainConfig
    from thanos.train.dataset import write_dataset
    from thanos.train.fit import make_trainer
    from thanos.train.model import training_tokenizer
    from thanos.train.run import TOKENS

    gpus, steps = int(os.environ.get("WORLD_SIZE", 1)), WARM_UP + args.steps
    folder = Path(tempfile.gettempdir()) / f"thanos-train-gpu-{args.shape}"
    config = TrainConfig(
        base=str(folder / "base"), train=folder, validation=folder, output=folder / "out", gpus=gpus, batch=rows * gpus,
        rows_at_once=rows, max_steps=steps, lr=1e-5,
    )  # fmt: skip
    state = PartialState(cpu=DEVICE == "cpu")
    with state.main_process_first():
        if state.is_main_process:
            shutil.rmtree(config.output, ignore_errors=True)
            if not (folder / "base").exists():
                make_model(folder / "base", args.shape)
            examples = make_examples(args, rows * gpus * steps)
            for name, some in (("train", examples), ("validation", examples[:1])):
                columns = ((e.prompt, e.completion, e.weight) for e in some)
                write_dataset(config.output / TOKENS / f"{name}.arrow", "sft", columns)
    made = make_trainer(config, training_tokenizer(config.base))
    made.args.eval_strategy = made.args.save_strategy = "no"
    made.remove_callback(PrinterCallback)
    count = lambda inputs: (
        inputs["input_ids"].numel() + rows
    )  # the last token of a row predicts nothing and isn't there
    seconds, tokens = clocked(made, steps, count)
    tokens = int(made.accelerator.reduce(torch.tensor(tokens, device=made.args.device), "sum"))
    return {"tokens/s": tokens / seconds, "seconds a step": seconds / args.steps, "memory, GB": peak(), "GPUs": gpus}


def clocked(made, steps: int, count) -> tuple[float, int]:
    """Run a trainer: seconds of the steps after the warm-up, and the tokens of this process in them."""
    from transformers import TrainerCallback

    times, tokens, plain = [], [], made.training_step

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            synchronise()
            times.append(time.perf_counter())

    def counting(model, inputs, *rest):
        tokens.append(count(inputs))
        return plain(model, inputs, *rest)

    made.add_callback(Clock())
    made.training_step = counting
    made.train()
    return times[steps - 1] - times[WARM_UP - 1], sum(int(n) for n in tokens[WARM_UP:])


def original(args: argparse.Namespace, rows: int) -> dict:
    """Padded batches of 8, PEFT as it comes, dropout 0.05, logits of every position."""
    model = make_model(args, dropout=0.05).train()
    examples = make_examples(args, rows * (WARM_UP + args.steps))
    step = stepper(model, lambda batch: padded_loss(model, batch))
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
    from trl import SFTConfig, SFTTrainer

    steps = WARM_UP + args.steps
    examples = make_examples(args, rows * steps)
    table = {
        "input_ids": [e.prompt + e.completion for e in examples],
        "completion_mask": [[0] * len(e.prompt) + [1] * len(e.completion) for e in examples],
    }
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(folder, max_steps=steps, completion_only_loss=True, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=DEVICE == "cpu")  # fmt: skip
        trainer = SFTTrainer(
            make_base(args), config, train_dataset=Dataset.from_dict(table), peft_config=lora_config(0.0, LoraConfig),
            processing_class=make_tokenizer(SHAPES[args.shape]["vocab_size"]),
        )  # fmt: skip
        seconds, tokens = clocked(trainer, steps, lambda inputs: inputs["attention_mask"].sum())
    return {
        "tokens/s": tokens / seconds,
        "seconds a step": seconds / args.steps,
        "memory, GB": peak(),
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


def synchronise() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def peak() -> float:
    return round(torch.cuda.max_memory_allocated() / 1e9, 1) if DEVICE == "cuda" else 0.0
