"""The model card: README.md beside the weights."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from thanos.train.accuracy import METRIC
from thanos.train.config import TrainConfig

SCORES = {
    METRIC: "skill accuracy",
    "eval_also_accuracy": "counting second fitting skills",
    "eval_loss": "validation loss",
    "eval_rewards/accuracies": "chosen thought preferred to the rejected one",
}
SHOWN = (
    "tune",
    "rank",
    "alpha",
    "dropout",
    "epochs",
    "max_steps",
    "batch",
    "lr",
    "warmup",
    "also_share",
    "max_tokens",
    "seed",
)
_HOW = {"lora": "tuned with low-rank additions (LoRA)", "qlora": "tuned in 4 bits (QLoRA)", "full": "tuned whole"}


@dataclass(frozen=True)
class Counts:
    """What a run was made of."""

    rows: int
    """Training rows."""
    examples: int
    """Targets, or pairs."""
    left_out: int
    """Rows without a rejected thought (dpo)."""


def write_card(config: TrainConfig, counts: Counts, eval_rows: int, history: list[dict[str, float]], best: int) -> None:
    """Write the card into the output folder.

    Args:
        eval_rows: Validation rows that were scored.
        history: The trainer's log.
        best: The step whose weights are kept.
    """
    at_best = {key: value for entry in history if entry.get("step") == best for key, value in entry.items()}
    shown = [key for key in SHOWN if config.tune != "full" or key not in ("rank", "alpha", "dropout")]
    base = _embedded_id() if config.base == "embedded" else _shown_path(config.base)
    preferred = ", by direct preference optimisation" if config.method == "dpo" else ""
    text = Template(files("thanos.train").joinpath("card.md").read_text(encoding="utf-8")).substitute(
        title=config.output.name,
        base_id=base,
        base=base,
        library="transformers" if config.tune == "full" else "peft",
        how=_HOW[config.tune] + preferred,
        usage=_usage(config),
        eval_rows=f"{eval_rows:,}",
        validation=config.validation.name,
        best_step=best,
        scores="\n".join(_score_rows(at_best)),
        data=_data(config, counts),
        recipe="\n".join(f"| {key} | {value} |" for key in shown if (value := getattr(config, key)) is not None),
    )
    (config.output / "README.md").write_text(text, encoding="utf-8")


def _usage(config: TrainConfig) -> str:
    prompt = "" if config.prompt == "thanos" else f" --prompt {_shown_path(config.prompt)}"
    own, base = config.output.name, _shown_path(config.base)
    model = f"-m hf/{own}" if config.tune == "full" else f"-m hf/{base} --adapter {own}"
    return f"thanos predict dialogues.jsonl {model}{prompt}"


def _embedded_id() -> str:
    from thanos.engines.embedded.base import HUB_REPOSITORY

    return HUB_REPOSITORY


def _shown_path(name: str) -> str:
    """A hub id as it is; of a path its last part: cards travel, folders don't."""
    return Path(name).name if Path(name).exists() else name


def _score_rows(at_best: dict[str, float]) -> list[str]:
    form = lambda key, value: f"{value:.4f}" if key.endswith("loss") else f"{value:.1%}"
    return [f"| {label} | {form(key, at_best[key])} |" for key, label in SCORES.items() if key in at_best]


def _data(config: TrainConfig, counts: Counts) -> str:
    if config.method == "dpo":
        without = f"; {counts.left_out:,} rows without a rejected thought were left out" if counts.left_out else ""
        return f"{counts.examples:,} pairs of a chosen and a rejected thought from `{config.train.name}`{without}."
    return (
        f"{counts.rows:,} annotated rows of `{config.train.name}`, {counts.examples:,} targets: a row with several "
        "fitting skills trains on each of them."
    )
