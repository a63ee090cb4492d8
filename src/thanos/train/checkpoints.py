"""What an output folder holds of an earlier, perhaps killed, run."""

import json
from pathlib import Path
from typing import Any

import yaml

from thanos.errors import ThanosError
from thanos.train.config import TrainConfig
from thanos.train.read_config import dump_config

CONFIG_FILE = "train.yaml"
STATE_FILE = "trainer_state.json"
MAY_CHANGE = ("rows_at_once", "gpus", "fsdp", "checkpointing", "keep", "log_to", "output")
"""Fields that don't change what is learned, but for rounding."""


def newest_checkpoint(output: Path) -> Path | None:
    """The newest whole checkpoint: a kill may have left a half one, which lacks its last file."""
    found = sorted(output.glob("checkpoint-*"), key=_step, reverse=True)
    return next((folder for folder in found if _is_whole(folder)), None)


def read_state(checkpoint: Path) -> Any:
    """The trainer's state at a checkpoint."""
    from transformers import TrainerState

    return TrainerState.load_from_json(str(checkpoint / STATE_FILE))


def is_finished(state: Any) -> bool:
    """True if there is no step left to do."""
    return state.global_step >= state.max_steps


def claim_output(config: TrainConfig) -> None:
    """Write the configuration into the output folder, or see that the one there is the same run's.

    Raises:
        ThanosError: if the folder belongs to another run: of another base, or with another value of any field that
            matters; or if it can't be written.
    """
    path, text = config.output / CONFIG_FILE, dump_config(config, config.output)
    try:
        if path.is_file():
            _check_same(config.output, yaml.safe_load(text), yaml.safe_load(path.read_text(encoding="utf-8")))
        config.output.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ThanosError(f"can't write {config.output}: {(error.strerror or str(error)).lower()}") from None


def _check_same(output: Path, now: dict[str, Any], before: Any) -> None:
    before = before if isinstance(before, dict) else {}
    for key, value in now.items():
        was = before.get(key)
        if was != value and key not in MAY_CHANGE:
            what = "checkpoints of another base" if key == "base" else f"a run with another {key}"
            raise ThanosError(f"{output} holds {what}: {was!r}, not {value!r}; give another output or delete that one")


def _step(folder: Path) -> int:
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(folder: Path) -> bool:
    try:
        json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
