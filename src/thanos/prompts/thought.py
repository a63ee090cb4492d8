"""The written form of a skill-of-mind, `<explanation> [RESULT SKILL] <skill>`: write it and read it back."""

import json
import re
from dataclasses import dataclass

from thanos.errors import UnknownSkillError
from thanos.skills import Skill

MARKER = "[RESULT SKILL]"

# With brackets, with a colon, or in capitals: "the result skill" in running prose is no marker.
_MARKER = re.compile(r"\[\s*result[\s_-]*skills?\s*\]\s*:?|\bresult[\s_-]*skills?\s*:|\bRESULT[\s_-]*SKILLS?\b", re.I)
_PLAIN_MARKER = re.compile(r"\bRESULT[\s_-]*SKILLS?\b")
_SKILL_LINE = re.compile(r"^[\s#*>_-]*(?:conversational\s+)?skill[\s*_]*(?::|=|is\b)[\s*_]*", re.I)
_FENCE = re.compile(r"^\s*```\w*\s*$", re.M)
_LEAD = re.compile(r"^[\s#*]*explanation[\s*]*:[\s*]*", re.I)
_QUOTES = "\"'`*_“”‘’ \t\r\n"


@dataclass(frozen=True)
class Thought:
    """What was read from a model's text."""

    explanation: str
    skill: Skill | None
    """None if the text names no skill of the closed set, or none for certain."""


def format_thought(explanation: str, skill: Skill) -> str:
    """The text that models are trained to write."""
    return f"{explanation} {MARKER} {skill.value}"


def parse_thought(text: str) -> Thought:
    """Read an explanation and a skill out of whatever a model wrote.

    Forgiven: code fences, quotes, a leading "### Explanation:", another spelling of the marker, several markers (the
    first that a skill follows counts), text after the skill, and a missing marker where the last line is a skill or
    "Skill: ..." or the text is a JSON object. A skill that merely occurs in the prose is not taken for the answer.
    """
    text = _FENCE.sub("", text).strip()
    found = _from_json(text) or _from_marker(text) or _from_last_line(text)
    if found:
        return Thought(_clean(found[0]), found[1])
    first = next(_markers(text), None)
    return Thought(_clean(text[: first.start()] if first else text), None)


def read_skill(label: str) -> Skill | None:
    """The skill that a text begins with, or None: "Empathy (an Interpersonal Skill)" -> Empathy."""
    line = next((line for line in label.splitlines() if line.strip(_QUOTES)), "")
    line = re.sub(r"^[\s#*_\"'`<(\[“‘:.-]+", "", line)
    phrase = re.split(r"[.,;:(\[\])<>|/\"“”!?—–]|\s-\s|\s{2,}", line, maxsplit=1)[0]
    words = phrase.split()
    # The whole phrase first; then fewer words, so that prose after the name does no harm. Names have up to three words.
    for n in dict.fromkeys((len(words), *range(min(3, len(words)), 0, -1))):
        try:
            return Skill.parse(" ".join(words[:n]))
        except UnknownSkillError:
            continue
    return None


def _markers(text: str):
    return (
        m for m in _MARKER.finditer(text) if m.group()[0] == "[" or ":" in m.group() or _PLAIN_MARKER.match(m.group())
    )


def _from_marker(text: str) -> tuple[str, Skill] | None:
    start = None
    for marker in _markers(text):
        start = marker.start() if start is None else start
        if skill := read_skill(text[marker.end() :]):
            return text[:start], skill
    return None


def _from_last_line(text: str) -> tuple[str, Skill] | None:
    *before, last = [line for line in text.splitlines() if line.strip()] or [""]
    label = _SKILL_LINE.sub("", last)
    if label != last:
        skill = read_skill(label)
    else:
        try:  # without a label, the whole line must be the name
            skill = Skill.parse(last) if len(last.split()) <= 4 else None
        except UnknownSkillError:
            skill = None
    return ("\n".join(before), skill) if skill else None


def _from_json(text: str) -> tuple[str, Skill] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    skill = value.get("skill") if isinstance(value, dict) else None
    if not isinstance(skill, str) or not (known := read_skill(skill)):
        return None
    explanation = value.get("explanation")
    return explanation if isinstance(explanation, str) else "", known


def _clean(explanation: str) -> str:
    text = _LEAD.sub("", explanation.strip())
    text = re.sub(r"\s+", " ", text).strip()
    paired = len(text) > 1 and text[0] in "\"'“‘`" and text[-1] in "\"'”’`"
    return text[1:-1].strip() if paired else text
