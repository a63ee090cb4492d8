"""Normalise many labels at once and say what didn't map."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from thanos.errors import UnknownSkillError
from thanos.skills.skill import Skill


@dataclass
class LabelReport:
    """What became of a column of labels."""

    mapped: Counter[str] = field(default_factory=Counter)
    """Skill name -> how many labels became it."""
    changed: dict[str, str] = field(default_factory=dict)
    """Label as it came -> skill name, for labels that weren't spelled like the skill."""
    unmapped: Counter[str] = field(default_factory=Counter)
    """Label as it came -> how often it was met and mapped to nothing."""


def normalise_labels(labels: Iterable[str]) -> LabelReport:
    """Count how labels map to the closed set; unknown ones are reported, never guessed."""
    report = LabelReport()
    for label in labels:
        try:
            skill = Skill.parse(label)
        except UnknownSkillError:
            report.unmapped[label] += 1
            continue
        report.mapped[skill.value] += 1
        if label != skill.value:
            report.changed[label] = skill.value
    return report
