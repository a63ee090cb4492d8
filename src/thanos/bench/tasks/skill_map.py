"""Maps from the 39 skills to the labels of a public set; one YAML file each, with its reasons."""

from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from thanos.skills import Skill


class SkillMap(BaseModel):
    """How skills stand for the labels of one set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The task's."""
    version: int
    summary: str
    files: tuple[str, ...]
    """Names, without their ending, of the set's files; those that exist are read."""
    labels: dict[str, tuple[Skill, ...]]
    """Label of the set -> the skills that stand for it; none for a label that no skill means."""
    rest: str | None
    """Label of the skills that aren't named, or null: they stand for none."""
    rename: dict[str, str] = {}
    """The set's spelling -> the label."""
    positive: str | None = None
    """The label whose precision and recall count, where the question is yes or no."""

    @model_validator(mode="after")
    def _one_label_a_skill(self) -> "SkillMap":
        named = [skill for skills in self.labels.values() for skill in skills]
        twice = {skill.value for skill in named if named.count(skill) > 1}
        if twice:
            raise ValueError(f"{sorted(twice)} stand for two labels")
        for label in (self.rest, self.positive, *self.rename.values()):
            if label is not None and label not in self.labels:
                raise ValueError(f"no label {label!r}")
        return self

    def label_of(self, skill: Skill | None) -> str | None:
        """The label that a skill stands for; None for no skill, whatever the rest is."""
        if skill is None:
            return None
        return next((label for label, skills in self.labels.items() if skill in skills), self.rest)

    def reachable(self) -> set[str]:
        """Labels that some skill stands for."""
        return {label for label in map(self.label_of, Skill) if label is not None}


def load_map(name: str) -> SkillMap:
    """Load a built-in map."""
    text = files("thanos.bench.tasks").joinpath("maps", f"{name}.yaml").read_text(encoding="utf-8")
    value: dict[str, Any] = yaml.safe_load(text)
    return SkillMap.model_validate(value)
