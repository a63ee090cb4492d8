"""The closed set of conversational skills and the normaliser of labels.

The names, categories and definitions are package data (skills.yaml). `Skill` is an enumeration of strings, so a member
compares equal to its name and is written to JSON as it.
"""

import difflib
import re
from enum import StrEnum
from functools import cache
from importlib.resources import files

import yaml

from thanos.errors import UnknownSkillError

# Two wrong letters in a name of about ten: "Harmlesseness" (0.96) maps, "Listening" for "Active Listening" (0.72) no.
SPELLING_CUTOFF = 0.88


def _read(name: str) -> dict:
    return yaml.safe_load(files("thanos.skills").joinpath(name).read_text(encoding="utf-8"))


_TAXONOMY: dict[str, dict[str, str]] = _read("skills.yaml")
_CATEGORY = {skill: category for category, skills in _TAXONOMY.items() for skill in skills}
_DEFINITION = {skill: text for skills in _TAXONOMY.values() for skill, text in skills.items()}

CATEGORIES: tuple[str, ...] = tuple(_TAXONOMY)


class _SkillName(StrEnum):
    """What every member of `Skill` can do; the members come from skills.yaml."""

    @property
    def category(self) -> str:
        """One of the five categories."""
        return _CATEGORY[self.value]

    @property
    def definition(self) -> str:
        """One sentence on what a speaker with this skill does."""
        return _DEFINITION[self.value]

    @classmethod
    def parse(cls, label: str) -> "Skill":
        """Map a label to its skill: case, hyphens, punctuation, plurals, aliases and small misspellings are forgiven.

        Args:
            label: For example "image sharing", "Active listening." or "Harmlesseness".

        Raises:
            UnknownSkillError: if no skill, or more than one, is meant. There is never a default.
        """
        key = _key(label)
        known = _lookup()
        if key in known:
            return cls(known[key])
        near = difflib.get_close_matches(key, known, n=3, cutoff=SPELLING_CUTOFF)
        skills = list(dict.fromkeys(known[k] for k in near))
        if len(skills) == 1:
            return cls(skills[0])
        if not skills:
            loose = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
            skills = list(dict.fromkeys(known[k] for k in loose))
        raise UnknownSkillError(label, skills)


Skill = _SkillName("Skill", {re.sub(r"\W", "_", name).upper(): name for name in _CATEGORY})
Skill.__doc__ = "One of the 39 conversational skills, e.g. `Skill.EMPATHY` or `Skill('Topic Transition')`."


def _key(label: str) -> str:
    """The part of a label that carries meaning: lower-case words in the singular, without 'skill'."""
    words = re.sub(r"[^a-z]+", " ", label.lower()).split()
    words = [w for w in words if w not in ("skill", "skills", "the", "a")]
    return " ".join(w[:-1] if w.endswith("s") and not w.endswith("ss") and len(w) > 3 else w for w in words)


@cache
def _lookup() -> dict[str, str]:
    """Every known key (names and aliases) and the skill it stands for; also without blanks, for 'SelfDisclosure'."""
    known = {_key(name): name for name in _CATEGORY}
    for name, aliases in _read("aliases.yaml").items():
        for alias in aliases:
            if known.setdefault(_key(alias), name) != name:
                raise ValueError(f"aliases.yaml: {alias!r} stands for two skills")
    return known | {key.replace(" ", ""): name for key, name in known.items()}
