"""Predictions for people: a table on a terminal; JSONL where standard output is a file or a pipe."""

import json
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from thanos.cli.thought import COLOURS, SHOWN_SKILLS
from thanos.predict import Prediction
from thanos.predict.row import output_row

LAST_TURN_CHARACTERS = 160


class PredictionTable:
    """Prints each prediction as it comes; nothing is kept."""

    def __init__(self) -> None:
        self._console = Console()
        self._rows = 0

    def add(self, line: int, prediction: Prediction) -> None:
        """Print one prediction."""
        if not self._console.is_terminal:
            row = {"id": prediction.dialogue.id, "line": line, **output_row(prediction)}
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        table = Table(show_header=self._rows == 0, expand=True, show_edge=False, pad_edge=False, show_lines=False)
        table.add_column("after", ratio=4)
        table.add_column("thought", ratio=5, style="italic")
        table.add_column("skill", ratio=3)
        table.add_row(_last_turn(prediction), _thought(prediction), _skill(prediction))
        table.add_row("", "", "")
        self._console.print(table)
        self._rows += 1


def _last_turn(prediction: Prediction) -> Text:
    turn = prediction.dialogue.turns[-1]
    words = turn.words()
    if len(words) > LAST_TURN_CHARACTERS:
        words = "… " + words[-LAST_TURN_CHARACTERS:]
    text = Text(f"{turn.speaker}: ", style="bold")
    text.append(words, style="not bold")
    if prediction.truncated:
        text.append(f"\n({prediction.truncated['turns']} turns cut to fit)", style="dim")
    return text


def _thought(prediction: Prediction) -> str:
    return escape(prediction.skill_of_mind.explanation) or "[dim]—[/dim]"


def _skill(prediction: Prediction) -> Text:
    thought = prediction.skill_of_mind
    if thought.skill is None:
        return Text("no skill in the answer", style="red")
    text = Text(thought.skill.value, style=f"bold {COLOURS[thought.skill.category]}")
    text.append(f"\n{thought.skill.category}", style="not bold dim")
    for name, p in thought.top(SHOWN_SKILLS):
        text.append(f"\n{p:4.0%} {name}", style="not bold dim" if name != thought.skill.value else "not bold default")
    return text
