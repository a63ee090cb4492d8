"""Fit a model to rows that are encoded: train, evaluate, checkpoint, and save the best."""

import logging
import os
from typing import Any

import torch
from transformers import PrinterCallback

from thanos.errors import ThanosError
from thanos.prompts import load_prompt
from thanos.train.accuracy import SkillAccuracy
from thanos.train.arguments import trainer_arguments
from thanos.train.batches import CollatePadded, collate_packed
from thanos.train.checkpoints import is_finished, newest_checkpoint, read_state
from thanos.train.config import TrainConfig
from thanos.train.dataset import read_dataset
from thanos.train.finish import finish
from thanos.train.model import training_model
from thanos.train.report import RunReport
from thanos.train.run import TOKENS, validation_sample


def fit(config: TrainConfig, tokenizer: Any) -> None:
    """Train from the newest checkpoint on, and leave the best weights, card and curves in the output folder.

    Args:
        tokenizer: The base's; see `training_tokenizer`.

    Raises:
        ThanosError: if the base or the adapter can't be had, memory runs out, or a checkpoint doesn't fit.
    """
    _quiet()
    rows = validation_sample(config)
    checkpoint = newest_checkpoint(config.output)
    if checkpoint and is_finished(state := read_state(checkpoint)):
        finish(config, tokenizer, state, len(rows))
        return
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
    if trainer.is_world_process_zero():
        finish(config, tokenizer, trainer.state, len(rows))


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
    """No notes, and no bars beside our own, not on a terminal either."""
    import datasets
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for name in ("accelerate", "peft", "trl"):
        logging.getLogger(name).setLevel(logging.ERROR)
