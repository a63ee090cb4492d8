"""Public dialogue sets: rows as their releases have them -> Dialogue with a social context."""

from thanos.sources.build import context_at, dialogue_row, turn_id, turn_key, turn_row
from thanos.sources.read import Reading, open_source, read_dialogues, read_source
from thanos.sources.registry import EVALUATION, SOURCES, TRAINING, find_source
from thanos.sources.rows import RawRow, rows_of_file, rows_of_hub
from thanos.sources.source import Source, Unusable

__all__ = [
    "EVALUATION",
    "SOURCES",
    "TRAINING",
    "RawRow",
    "Reading",
    "Source",
    "Unusable",
    "context_at",
    "dialogue_row",
    "find_source",
    "open_source",
    "read_dialogues",
    "read_source",
    "rows_of_file",
    "rows_of_hub",
    "turn_id",
    "turn_key",
    "turn_row",
]
