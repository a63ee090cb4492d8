"""What a conversation looks like on a terminal, however narrow it is."""

from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from thanos.cli.thought import COLOURS, printable, thought_text
from thanos.respond import instruction
from thanos.skills import Skill, SkillOfMind

INDENT = 2
BARS = 5
NARROW = 40
"""Columns below which thoughts aren't set in."""


class Screen:
    """Prints turns, thoughts and notes."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(highlight=False)

    def thought(self, thought: SkillOfMind) -> None:
        """The explanation and the skill, dimmed."""
        self._set_in(thought_text(thought))

    def why(self, thought: SkillOfMind) -> None:
        """Everything about a thought: the explanation, the most probable skills as bars, what the skill asks for."""
        if thought.explanation:
            self._set_in(Text(printable(thought.explanation), style="italic"))
        top = thought.top(BARS)
        if top:
            longest = max(len(name) for name, _ in top)
            room = max(4, min(30, self.console.width - longest - 12))
            for name, p in top:
                bar = "█" * max(1, round(p * room))
                self._set_in(Text.assemble(f"{name:<{longest}} ", (bar, _colour(name)), f" {p:.0%}"))
        if thought.skill:
            self._set_in(Text(f"{thought.skill.value}: {instruction(thought.skill)}", style="dim"))

    def turn(self, speaker: str, text: str) -> None:
        """A whole turn, for what was said before."""
        self.console.print(Text.assemble((printable(f"{speaker}: "), "bold"), printable(text)))

    def note(self, text: str) -> None:
        """A word of the program's own, dimmed."""
        self._set_in(Text(printable(text), style="dim"))

    def reply(self, speaker: str) -> "Wrapped":
        """Begin a reply; feed the pieces to what comes back, then end it."""
        speaker = printable(speaker)
        self.console.print(Text(f"{speaker}: ", style="bold"), end="")
        width = self.console.width if self.console.is_terminal else None
        return Wrapped(self._write, width, cell_len(f"{speaker}: "))

    def _write(self, text: str) -> None:
        self.console.out(text, end="", highlight=False)
        self.console.file.flush()

    def _set_in(self, text: Text) -> None:
        self.console.print(Padding(text, (0, 0, 0, INDENT if self.console.width >= NARROW else 0), expand=False))


class Wrapped:
    """Breaks lines between words while a text comes in pieces."""

    def __init__(self, write: Callable[[str], None], width: int | None, column: int = 0):
        """`width` in columns, None for endless lines; `column` is where the text begins."""
        self._write, self._width, self._column = write, width, column
        self._blanks = self._word = ""

    def feed(self, piece: str) -> None:
        """Print what of the text is sure to stand where it stands."""
        for char in printable(piece.replace("\t", " ")):
            if char == "\n":
                self._flush()
                self._blanks, self._column = "", 0
                self._write("\n")
            elif char.isspace():
                self._flush()
                self._blanks += " "
            else:
                self._word += char

    def end(self) -> None:
        """Print the rest and end the line."""
        self._flush()
        self._write("\n")

    def _flush(self) -> None:
        if not self._word:
            return
        size = cell_len(self._word)
        if self._width and self._column and self._column + len(self._blanks) + size > self._width:
            self._write("\n")
            self._blanks, self._column = "", 0
        self._write(self._blanks + self._word)
        self._column += len(self._blanks) + size
        self._blanks = self._word = ""


def _colour(name: str) -> str:
    return COLOURS[Skill(name).category]
