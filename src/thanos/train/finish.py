"""The end of a run: the best checkpoint's weights, the tokenizer, card and curves, into the output folder."""

import json
import shutil
from pathlib import Path
from typing import Any

from thanos.train.card import write_card
from thanos.train.config import TrainConfig
from thanos.train.curves import draw_curves
from thanos.train.run import read_counts

WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")
ADAPTER_CONFIG = "adapter_config.json"


def finish(config: TrainConfig, tokenizer: Any, state: Any, eval_rows: int) -> None:
    """Write what is left of a finished run; doing it twice does no harm.

    Args:
        state: The trainer's, of the last step.
        eval_rows: Validation rows that were scored.
    """
    # By name: the folder may have been moved since.
    best = config.output / Path(state.best_model_checkpoint).name
    for pattern in WEIGHT_FILES:
        for path in best.glob(pattern):
            shutil.copy2(path, config.output / path.name)
    if (best / ADAPTER_CONFIG).is_file():
        adapter = json.loads((best / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        base = str(Path(config.base).resolve()) if Path(config.base).exists() else config.base
        text = json.dumps(adapter | {"base_model_name_or_path": base}, indent=2)
        (config.output / ADAPTER_CONFIG).write_text(text, encoding="utf-8")
    tokenizer.save_pretrained(config.output)
    (config.output / "history.json").write_text(json.dumps(state.log_history, indent=1))
    history, best_step = state.log_history, state.best_global_step
    draw_curves(history, config.output / "curves.png", f"{config.output.name}: {config.method}", best_step)
    write_card(config, read_counts(config), eval_rows, history, best_step)
