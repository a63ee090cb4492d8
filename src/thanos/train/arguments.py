"""TrainConfig -> the arguments of TRL's trainers."""

from importlib.util import find_spec
from typing import Any

from thanos.errors import ThanosError
from thanos.train.accuracy import SELECTION
from thanos.train.config import TrainConfig

LOSSES_BETWEEN_EVALUATIONS = 20
"""Points of the loss curve between two of the accuracy curve."""


def trainer_arguments(config: TrainConfig, *, gpu: bool, packed: bool) -> dict[str, Any]:
    """What `SFTConfig` and `DPOConfig` have in common.

    Args:
        gpu: Whether there is one.
        packed: Whether the packed step is used: it sees to types and checkpointing itself.

    Raises:
        ThanosError: if a library to log to isn't installed.
    """
    for name in config.log_to:
        if find_spec(name) is None:
            raise ThanosError(f"log_to {name} needs {name}: pip install {name}")
    evaluate = min(config.eval_every, config.max_steps or config.eval_every)
    sharding = {"fsdp": True, "fsdp_config": {"state_dict_type": "FULL_STATE_DICT"}} if config.fsdp else {}
    return sharding | {
        "output_dir": str(config.output),
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.rows_at_once,
        "per_device_eval_batch_size": config.rows_at_once,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.lr,
        "lr_scheduler_type": "cosine",
        "warmup_steps": min(config.warmup, 0.999),  # a share, as long as it's below 1
        "weight_decay": config.weight_decay,
        "optim": "adamw_torch_fused" if gpu else "adamw_torch",
        "bf16": gpu and not packed,
        "use_cpu": not gpu,
        "gradient_checkpointing": config.checkpointing and not packed,
        "ddp_find_unused_parameters": False,
        "eval_strategy": "steps",
        "eval_steps": evaluate,
        "save_strategy": "steps",
        "save_steps": evaluate,
        "save_total_limit": config.keep + 1,  # the best is one of them
        "metric_for_best_model": SELECTION,
        "greater_is_better": True,
        "logging_steps": max(1, evaluate // LOSSES_BETWEEN_EVALUATIONS),
        "logging_nan_inf_filter": False,  # it would wait for the GPU after every step
        "report_to": list(config.log_to) or "none",
        "disable_tqdm": True,
        "log_level": "error",
        "log_level_replica": "error",
        "remove_unused_columns": False,
        "max_length": None,
        "seed": config.seed,
        "data_seed": config.seed,
    }
