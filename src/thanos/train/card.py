"""The model card: README.md beside the weights."""

from dataclasses import dataclass
from importlib.resources import files
from string import Template

from thanos.engines.embedded.base import HUB_REPOSITORY
from thanos.train.accuracy import METRIC
from thanos.train.config import TrainConfig

SCORES = {
    METRIC: "skill accuracy",
    "eval_also_accuracy": "counting second fitting skills",
    "eval_loss": "validation loss",
    "eval_rewards/accuracies": "chosen thought preferred to the rejected one",
}
SHOWN = ("tune", "rank", "alpha", "dropout", "epochs", "batch", "lr", "warmup", "also_share", "max_tokens", "seed")
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


def write_card(config: TrainConfig, counts: Counts, eval_rows: int, history: list[dict[str, float]]) -> None:
    """Write the card into the output folder.

    Args:
        eval_rows: Validation rows that were scored.
        history: The trainer's log.
    """
    step = best_step(history)
    at_best = {key: value for entry in history if entry.get("step") == step for key, value in entry.items()}
    shown = [key for key in SHOWN if config.tune != "full" or key not in ("rank", "alpha", "dropout")]
    base = HUB_REPOSITORY if config.base == "embedded" else config.base
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
        best_step=step,
        scores="\n".join(_score_rows(at_best)),
        data=_data(config, counts),
        recipe="\n".join(f"| {key} | {getattr(config, key)} |" for key in shown),
    )
    (config.output / "README.md").write_text(text, encoding="utf-8")


def best_step(history: list[dict[str, float]]) -> int:
    """The step of the highest skill accuracy, the earliest if there are several."""
    scored = [entry for entry in history if METRIC in entry]
    return int(max(scored, key=lambda entry: (entry[METRIC], -entry["step"]))["step"]) if scored else 0


def _usage(config: TrainConfig) -> str:
    prompt = "" if config.prompt == "thanos" else f" --prompt {config.prompt}"
    model = f"-m hf/{config.output}" if config.tune == "full" else f"-m hf/{config.base} --adapter {config.output}"
    return f"thanos predict dialogues.jsonl {model}{prompt}"


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
