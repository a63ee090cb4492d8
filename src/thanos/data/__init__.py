"""From annotated turns to a dataset: validate, split, describe, publish."""

from thanos.data.annotated_turn import AnnotatedTurn, read_annotated_turn
from thanos.data.next_turn import NextTurn, read_next_turn

__all__ = ["AnnotatedTurn", "NextTurn", "read_annotated_turn", "read_next_turn"]
