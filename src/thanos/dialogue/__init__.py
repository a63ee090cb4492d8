"""Dialogue, its turns, and every form it can be read from."""

from thanos.dialogue.plain_text import dialogue_from_text
from thanos.dialogue.reader import Row, read_rows
from thanos.dialogue.row import dialogue_from_row
from thanos.dialogue.types import Dialogue, Turn

__all__ = ["Dialogue", "Row", "Turn", "dialogue_from_row", "dialogue_from_text", "read_rows"]
