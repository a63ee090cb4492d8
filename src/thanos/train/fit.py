"""Fit a model to rows that are encoded: train, evaluate, checkpoint, and save the best."""

import json
import logging
import os
import warnings
from typing import Any

import torch
from transformers import PrinterCallback

from thanos.errors import ThanosError
from thanos.prompts import load_prompt
from thanos.train.accuracy import SkillAccuracy
from thanos.train.arguments import trainer_arguments
from thanos.train.batches import CollatePadded, collate_packed
from thanos.train.card import write_card
from thanos.train.checkpoints import newest_checkpoint
from thanos.train.config import TrainConfig
from thanos.train.curves import draw_curves
from thanos.train.dataset import read_dataset
from thanos.train.model import training_model, training_tokenizer
from thanos.train.report import RunReport
from thanos.train.run import TOKENS, read_counts, validation_sample

HISTORY_FILE = "history.json"


def fit(config: TrainConfig) -> None:
    """Train from the newest checkpoint on, and leave the best weights, card and curves in the output folder.

    Raises:
        ThanosError: if the base or the adapter can't be had, memory runs out, or a checkpoint doesn't fit.
    """
    _quiet()
    tokenizer = training_tokenizer(config.base)
    rows = validation_sample(config)
    checkpoint = newest_checkpoint(config.output)
    try:
        trainer = make_trainer(config, tokenizer)
        accuracy = SkillAccuracy(
            rows, load_prompt(config.prompt), tokenizer, config.max_tokens, trainer.log, sharded=config.fsdp
        )
        trainer.add_callback(accuracy)
        trainer.remove_callback(PrinterCallback)
        with RunReport() as report:
            trainer.add_callback(report)
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        raise ThanosError(_out_of_memory(config)) from None
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        raise ThanosError(
            f"{checkpoint} is of another base than {config.base}: its weights have other sizes; give another output"
        ) from None
    _save(config, trainer, tokenizer, len(rows))


def make_trainer(config: TrainConfig, tokenizer: Any) -> Any:
    """TRL's trainer for the configuration, on the encoded rows of its output folder."""
    from trl import DPOConfig, SFTConfig

    from thanos.train.trainers import PreferenceTrainer, ThoughtTrainer, can_pack

    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if gpu else torch.device("cpu")
    model = training_model(config, device)
    packed = config.method == "sft" and config.tune == "lora" and not config.fsdp and can_pack(model)
    arguments = trainer_arguments(config, gpu=gpu, packed=packed)
    common = {
        "model": model,
        "processing_class": tokenizer,
        "train_dataset": read_dataset(config.output / TOKENS / "train.arrow"),
        "eval_dataset": read_dataset(config.output / TOKENS / "validation.arrow"),
    }
    if config.method == "dpo":
        return PreferenceTrainer(args=DPOConfig(**arguments, beta=config.beta), **common)
    arguments["dataset_kwargs"] = {"skip_prepare_dataset": True}
    collator = collate_packed if packed else CollatePadded(tokenizer.pad_token_id)
    return ThoughtTrainer(
        args=SFTConfig(**arguments),
        data_collator=collator,
        packed=packed,
        checkpointing=config.checkpointing,
        **common,
    )


def _save(config: TrainConfig, trainer: Any, tokenizer: Any, eval_rows: int) -> None:
    trainer.save_model(str(config.output))  # the best: the trainer has loaded it
    if not trainer.is_world_process_zero():
        return
    tokenizer.save_pretrained(config.output)
    history = trainer.state.log_history
    (config.output / HISTORY_FILE).write_text(json.dumps(history, indent=1))
    draw_curves(history, config.output / "curves.png", f"{config.output.name}: {config.method}")
    write_card(config, read_counts(config), eval_rows, history)


def _out_of_memory(config: TrainConfig) -> str:
    ways = []
    if config.rows_at_once > 1:
        ways.append(f"lower rows_at_once ({config.rows_at_once}; results stay the same)")
    if not config.checkpointing:
        ways.append("set checkpointing")
    if config.tune == "full":
        ways.append("tune lora")
    elif config.tune == "lora":
        ways.append("tune qlora")
    ways.append(f"lower max_tokens ({config.max_tokens})")
    found = newest_checkpoint(config.output)
    again = f"; then the same command goes on from {found.name}" if found else ""
    return f"out of GPU memory: {', or '.join(ways)}{again}"


def _quiet() -> None:
    """Libraries' notes and bars aside: what people need to see is ours."""
    import datasets
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|trl")
    for name in ("accelerate", "peft", "trl"):
        logging.getLogger(name).setLevel(logging.ERROR)
