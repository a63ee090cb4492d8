"""Dialogues -> turns to annotate, drawn by a recipe."""

from thanos.turns.recipe import Recipe, SourceShare, find_files, load_recipe
from thanos.turns.sample import Sample, sample_source, sample_turns, turn_to_annotate

__all__ = [
    "Recipe",
    "Sample",
    "SourceShare",
    "find_files",
    "load_recipe",
    "sample_source",
    "sample_turns",
    "turn_to_annotate",
]
