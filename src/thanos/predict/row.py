"""Prediction -> output row."""

from typing import Any

from thanos.predict.predictor import Prediction

DIGITS = 6
"""Decimals of a probability."""


def output_row(prediction: Prediction) -> dict[str, Any]:
    """The row that is written for a prediction, without id and the run's settings.

    What else the input row held is carried through; where it has a name of ours (a gold `skill`, say), it becomes
    `input_skill`, so that a prediction never hides or takes the place of a label.
    """
    thought = prediction.skill_of_mind
    row: dict[str, Any] = {
        "explanation": thought.explanation,
        "skill": thought.skill and thought.skill.value,
        "category": thought.category,
        "scores": {name: round(p, DIGITS) for name, p in thought.scores.items()},
        "valid": thought.valid,
    }
    if not thought.valid:
        row["raw"] = thought.raw
    if prediction.truncated:
        row["truncated"] = prediction.truncated
    ours = {*row, "raw", "truncated", "line", "model", "prompt", "mode", "samples"}
    carried = {f"input_{key}" if key in ours else key: value for key, value in prediction.dialogue.meta.items()}
    return row | carried
