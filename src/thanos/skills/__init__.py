"""The taxonomy of conversational skills and the skill-of-mind built on it."""

from thanos.skills.labels import LabelReport, normalise_labels
from thanos.skills.skill import CATEGORIES, Skill
from thanos.skills.skill_of_mind import SkillOfMind

__all__ = ["CATEGORIES", "LabelReport", "Skill", "SkillOfMind", "normalise_labels"]
