"""Replies for people: each below the turn that it answers; JSONL where standard output is a file or a pipe."""

import json
import sys

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from thanos.cli.thought import printable, thought_text
from thanos.respond.run import Answer, answer_row

LAST_TURN_CHARACTERS = 400


class ReplyList:
    """Prints each answer as it comes; nothing is kept."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def add(self, line: int, answer: Answer) -> None:
        """Print one answer."""
        if not self._console.is_terminal:
            row = {"id": answer.dialogue.id, "line": line, **answer_row(answer)}
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        turn, reply = answer.dialogue.turns[-1], answer.reply
        words = turn.words()
        if len(words) > LAST_TURN_CHARACTERS:
            words = f"… {words[-LAST_TURN_CHARACTERS:]}"
        self._console.print(_line(turn.speaker, words))
        if reply.planned:
            self._console.print(Padding(thought_text(answer.plan.skill_of_mind), (0, 0, 0, 2), expand=False))
        self._console.print(_line(reply.speaker, reply.text))
        self._console.print()


def _line(speaker: str, words: str) -> Text:
    return Text.assemble((printable(f"{speaker}: "), "bold"), printable(words))
