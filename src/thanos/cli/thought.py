"""A skill-of-mind on a terminal: dimmed, above what it leads to."""

import unicodedata

from rich.text import Text

from thanos.skills import CATEGORIES, SkillOfMind

COLOURS = dict(zip(CATEGORIES, ("magenta", "cyan", "yellow", "green", "blue"), strict=True))
SHOWN_SKILLS = 3


def printable(text: str) -> str:
    """Without control characters but line breaks: what others write mustn't steer the terminal."""
    return "".join(char for char in text if char == "\n" or unicodedata.category(char) != "Cc")


def thought_text(thought: SkillOfMind) -> Text:
    """The explanation, then the skill in its category's colour and how probable it and its rivals are."""
    text = Text(style="dim")
    if thought.explanation:
        text.append(f"{printable(thought.explanation)}\n", style="italic")
    if thought.skill is None:
        return text.append("no skill in the answer", style="red")
    text.append(thought.skill.value, style=f"bold {COLOURS[thought.skill.category]}")
    scores = dict(thought.top(SHOWN_SKILLS))
    if own := scores.pop(thought.skill.value, None):
        text.append(f" {own:.0%}")
    for name, p in list(scores.items())[: SHOWN_SKILLS - 1]:
        text.append(f" · {name} {p:.0%}")
    return text
