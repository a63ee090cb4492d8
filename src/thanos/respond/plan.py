"""Skill-of-mind -> the words that tell a responder what it has in mind."""

from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import yaml

from thanos.dialogue.types import whole_characters
from thanos.errors import ThanosError
from thanos.skills import Skill, SkillOfMind

Arm = Literal["plain", "skill", "explanation", "both"]
"""How much of the skill-of-mind a responder is told: nothing, the skill alone, the explanation alone, or both."""
ARMS: tuple[Arm, ...] = get_args(Arm)

EXPLANATION_BYTES = 600
"""Longer explanations are cut: those of the training data have 200 on average, and a runaway one mustn't take over."""
_THOUGHT = "What goes through your mind before you speak: {explanation}"
_SKILL = "The conversational skill to use now is {skill}. {instruction}"
_CLOSING = "Let this shape what you say; don't mention it."


def plan_note(thought: SkillOfMind | None, arm: Arm = "both") -> str:
    """The plan as a paragraph for a system message; the same words wherever a chat model is told a plan.

    Args:
        thought: The skill-of-mind; None, or one without a skill or explanation, says as much as there is.
        arm: What of it to tell.

    Returns:
        One paragraph on one line, or "" if there is nothing to tell.

    Raises:
        ThanosError: for an unknown arm.
    """
    check_arm(arm)
    if thought is None:
        return ""
    parts = []
    explanation = _one_line(thought.explanation)
    if arm in ("explanation", "both") and explanation:
        parts.append(_THOUGHT.format(explanation=explanation))
    if arm in ("skill", "both") and thought.skill:
        parts.append(_SKILL.format(skill=thought.skill.value, instruction=instruction(thought.skill)))
    return " ".join([*parts, _CLOSING]) if parts else ""


def check_arm(arm: str) -> None:
    """Raises ThanosError for an unknown arm."""
    if arm not in ARMS:
        raise ThanosError(f"unknown arm {arm!r}: use {', '.join(ARMS)}")


def instruction(skill: Skill) -> str:
    """The sentence that tells a speaker what to do with a skill."""
    return _instructions()["instructions"][skill.value]


def instructions_version() -> int:
    """Raised with every change of a sentence."""
    return _instructions()["version"]


def _one_line(explanation: str) -> str:
    text = " ".join(whole_characters(explanation).split())
    whole = text.encode()
    if len(whole) <= EXPLANATION_BYTES:
        return text
    return whole[:EXPLANATION_BYTES].decode(errors="ignore").rsplit(" ", 1)[0] + "…"


@cache
def _instructions() -> dict:
    return yaml.safe_load(files("thanos.respond").joinpath("instructions.yaml").read_text(encoding="utf-8"))
