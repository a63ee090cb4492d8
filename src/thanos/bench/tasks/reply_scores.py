"""Replies of all arms to one dialogue -> row; rows -> numbers."""

from collections.abc import Callable
from typing import Any

from thanos.bench.metrics.bootstrap import Resample
from thanos.bench.metrics.distinct import ORDERS, distinct
from thanos.bench.metrics.groups import mean_credits, per_source
from thanos.bench.metrics.overlap import ROUGE_TYPES, bleu_counts, bleu_numbers, rouge
from thanos.bench.pair_judge import PairVerdict
from thanos.bench.tasks.skill_of_mind import Metadata
from thanos.bench.tasks.task import Row
from thanos.data.words import words
from thanos.respond import ARMS

TOLD = tuple(arm for arm in reversed(ARMS) if arm != "plain")
"""Arms with a plan, the whole plan first."""
SHOWN = (*TOLD, "plain")
JUDGED = ("win_rate", "tie_rate", "order_agreement")
NO_REPLY = "no reply"


def pair_name(arm: str) -> str:
    """How a comparison is called: `both against plain`."""
    return f"{arm} against plain"


def score_replies(
    replies: dict[str, str], metadata: Metadata, bertscore: Callable[[str, str], float] | None = None
) -> Row:
    """Everything about a row but the planner's thought and the judge's verdicts.

    Args:
        replies: Arm -> reply; "" where the model wrote none, which has nothing in common with anything.
        metadata: Of the sample; `reference` is what was really said.
        bertscore: (reply, reference) -> BERTScore, where there is a model for it.
    """
    reference = metadata["reference"]
    credit: dict[str, float | None] = {}
    for arm in ARMS:
        reply = replies.get(arm, "")
        credit |= {f"{name}/{arm}": value for name, value in rouge(reply, reference).items()}
        if bertscore:
            credit[f"bertscore/{arm}"] = bertscore(reply, reference) if reply else 0.0
        credit[f"words/{arm}"] = float(len(words(reply))) if reply else None
    for arm in TOLD:
        both = replies.get(arm) and replies.get("plain")
        credit[f"changed/{arm}"] = float(replies[arm].split() != replies["plain"].split()) if both else None
    return {
        "target": None,
        "prediction": None,
        "speaker": metadata["speaker"],
        "reference": reference,
        "replies": replies,
        "valid": all(replies.get(arm) for arm in ARMS),
        "bleu_counts": {arm: bleu_counts(replies.get(arm, ""), reference) for arm in ARMS},
        "credit": credit,
    }


def add_verdicts(row: Row, verdicts: dict[str, PairVerdict]) -> None:
    """Put the judge's verdicts (arm -> of the arm against plain) into a row; those that couldn't be read are None."""
    for arm, verdict in verdicts.items():
        name, preferred = pair_name(arm), verdict.preferred
        row["credit"][f"win_rate/{name}"] = preferred
        row["credit"][f"tie_rate/{name}"] = None if preferred is None else float(preferred == 0.5)
        row["credit"][f"order_agreement/{name}"] = None if verdict.agreed is None else float(verdict.agreed)
    row["judgements"] = {
        pair_name(arm): {"preferred": verdict.preferred, "answers": list(verdict.answers)}
        for arm, verdict in verdicts.items()
    }


def metrics(rows: list[Row]) -> dict[str, Any]:
    """All numbers of the task. Each is named `<number>/<arm>` or `<number>/<arm> against plain`."""
    return {"metrics": _numbers(rows), "per_source": per_source(rows, _numbers)}


def _numbers(rows: list[Row]) -> dict[str, Any]:
    clusters = [row["cluster"] for row in rows]
    resample = Resample(clusters)
    judged = any("judgements" in row for row in rows)
    pairs = [f"{name}/{pair_name(arm)}" for name in JUDGED for arm in TOLD] if judged else []
    numbers = mean_credits(rows, pairs, resample)
    numbers |= mean_credits(rows, [f"{name}/{arm}" for name in ROUGE_TYPES[::-1] for arm in SHOWN], resample)
    if any("bertscore/plain" in row["credit"] for row in rows):
        # A row whose model failed was scored without one: it has nothing in common with anything.
        given = [
            row | {"credit": dict.fromkeys([f"bertscore/{arm}" for arm in SHOWN], 0.0) | row["credit"]} for row in rows
        ]
        numbers |= mean_credits(given, [f"bertscore/{arm}" for arm in SHOWN], resample)
    for arm in SHOWN:
        bleus = bleu_numbers([row["bleu_counts"][arm] for row in rows], resample)
        numbers |= {f"{name}/{arm}": number for name, number in bleus.items()}
    for order in ORDERS:
        for arm in SHOWN:
            texts = [row["replies"].get(arm, "") for row in rows]
            numbers[f"distinct{order}/{arm}"] = distinct(texts, clusters, order)
    numbers |= mean_credits(rows, [f"words/{arm}" for arm in SHOWN], resample)
    numbers |= mean_credits(rows, [f"changed/{arm}" for arm in TOLD], resample)
    return numbers | {"invalid_rate": resample.mean([float(not row["valid"]) for row in rows])}
