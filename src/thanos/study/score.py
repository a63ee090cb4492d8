"""Answers and key -> win rates, mean ratings and agreement, each with an interval.

Intervals are bootstraps over dialogues, each drawn with all its answers, because answers about one pair of replies
belong together. They say how far other dialogues would change a figure, not how far other annotators would.
"""

import json
import statistics
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from thanos.bench.metrics.bootstrap import DRAWS, Number, Resample, number
from thanos.errors import ThanosError
from thanos.study.folder import Answer, Study, read_key
from thanos.study.make import REFERENCE
from thanos.study.questions import CHOICES, SIDES

FOR_RIGHT = {"left": 0.0, "tie": 0.5, "right": 1.0}
"""How far an answer prefers the right reply."""

Figures = dict[str, Any]


def score_study(study: Study, seed: int = 0) -> Figures:
    """Score the answers that are there.

    Returns:
        `annotators` (name -> answers), `items`, `answered` (items with an answer), `answers`, `median_seconds`,
        `left_share` (of the answers that aren't a tie; far from a half, annotators favour a side), `wins` (one entry a
        pair of systems and question), `ratings` (one a system and question), `agreement` (one a question) and `faults`
        (lines that count nowhere). A figure with an interval is a `Number`: `{"value", "low", "high", "n"}`, n being
        answers, or for agreement units that several annotators judged.

    Raises:
        ThanosError: without answers or key.
    """
    answers, faults = study.answers()
    if not answers:
        raise ThanosError(f"{study.folder} holds no answers yet; collect some with `thanos study serve`")
    pairs = read_key(study)["pairs"]
    seconds = [answer.seconds for answer in answers if answer.seconds is not None]
    picks = Counter(choice for answer in answers for choice in answer.choices.values())
    decided = picks["left"] + picks["right"]
    return {
        "study": study.id,
        "questions_version": study.questions.version,
        "annotators": dict(sorted(Counter(answer.annotator for answer in answers).items())),
        "items": len(study.items),
        "answered": len({answer.item for answer in answers}),
        "answers": len(answers),
        "median_seconds": statistics.median(seconds) if seconds else None,
        "left_share": picks["left"] / decided if decided else None,
        "wins": _wins(study, answers, pairs, seed),
        "ratings": _ratings(study, answers, pairs, seed),
        "agreement": _agreement(study, answers, seed),
        "faults": faults,
    }


def write_scores(figures: Figures, path: Path) -> None:
    """Write the figures as JSON. Raises ThanosError if that isn't possible."""
    try:
        path.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ThanosError(f"can't write {path}: {(error.strerror or str(error)).lower()}") from None


def alpha(value_counts: np.ndarray, level: str, seed: int) -> Number:
    """Krippendorff's alpha and its interval; n is the number of units that several annotators judged.

    Args:
        value_counts: (units, values): how many annotators gave each value to each unit.
        level: "nominal" or "ordinal".
    """
    try:
        from krippendorff import alpha as krippendorff_alpha
    except ModuleNotFoundError as error:
        raise ThanosError(f"agreement needs {error.name}: pip install 'thanos-skill-of-mind[bench]'") from None

    def measure(counts: np.ndarray) -> float:
        # Without two values there is nothing that chance could agree about: alpha isn't defined.
        if np.count_nonzero(counts.sum(0)) < 2 or (counts.sum(1) < 2).all():
            return float("nan")
        domain = np.arange(counts.shape[1])
        return krippendorff_alpha(value_counts=counts, value_domain=domain, level_of_measurement=level)

    paired = value_counts[value_counts.sum(1) > 1]  # a unit with one answer shows no agreement
    if not len(paired):
        return number(np.full(1, np.nan), 0)
    drawn = np.random.default_rng(seed).integers(0, len(paired), (DRAWS, len(paired)))
    return number(np.array([measure(paired), *(measure(paired[units]) for units in drawn)]), len(paired))


def _wins(study: Study, answers: list[Answer], pairs: dict[str, dict[str, str]], seed: int) -> list[Figures]:
    found: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        pair = pairs[answer.item]
        # The same way round however the two stood; what was really said last.
        a, b = sorted((pair["left"], pair["right"]), key=lambda system: (system == REFERENCE, system))
        found[a, b].append(answer)
    rows = []
    for question in (choice.name for choice in study.questions.choices):
        for (a, b), given in found.items():
            preferred = [_preference(answer, question, pairs[answer.item], a) for answer in given]
            dialogues = [pairs[answer.item]["row"] for answer in given]
            counts = {"wins": preferred.count(1.0), "ties": preferred.count(0.5), "losses": preferred.count(0.0)}
            win_rate = Resample(dialogues, seed).mean(preferred)
            heads = {"question": question, "a": a, "b": b, "dialogues": len(set(dialogues))}
            rows.append({**heads, **counts, "win_rate": win_rate})
    return rows


def _preference(answer: Answer, question: str, pair: dict[str, str], system: str) -> float:
    """How far an answer prefers a system: 1, 0.5 for a tie, or 0."""
    for_right = FOR_RIGHT[answer.choices[question]]
    return for_right if pair["right"] == system else 1 - for_right


def _ratings(study: Study, answers: list[Answer], pairs: dict[str, dict[str, str]], seed: int) -> list[Figures]:
    rows = []
    for question in (rating.name for rating in study.questions.ratings):
        points: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for answer in answers:
            pair = pairs[answer.item]
            for side in SIDES:
                points[pair[side]].append((pair["row"], answer.ratings[question][side]))
        for system, given in sorted(points.items()):
            mean = Resample([row for row, _ in given], seed).mean([point for _, point in given])
            rows.append({"question": question, "system": system, "mean": mean})
    return rows


def _agreement(study: Study, answers: list[Answer], seed: int) -> list[Figures]:
    """Choices as they were shown: sides are dealt by chance, so agreement on a side is agreement on a reply."""
    rows = []
    for question in (choice.name for choice in study.questions.choices):
        values = [(answer.item, CHOICES.index(answer.choices[question])) for answer in answers]
        rows.append(_agreed(question, "nominal", values, len(CHOICES), seed))
    for rating in study.questions.ratings:
        values = [((answer.item, side), answer.ratings[rating.name][side] - 1) for answer in answers for side in SIDES]
        rows.append(_agreed(rating.name, "ordinal", values, len(rating.scale), seed))
    return rows


def _agreed(question: str, level: str, values: list[tuple[Any, int]], size: int, seed: int) -> Figures:
    units = {unit: i for i, unit in enumerate(dict.fromkeys(unit for unit, _ in values))}
    counts = np.zeros((len(units), size), int)
    for unit, value in values:
        counts[units[unit], value] += 1
    return {"question": question, "level": level, "alpha": alpha(counts, level, seed)}
