"""The terminal conversation: read a line, do what it says, until the end."""

import difflib
import sys
from collections.abc import Callable, Iterator

from thanos.chat.screen import Screen
from thanos.chat.session import Session
from thanos.errors import ThanosError

SHOWN_AGAIN = 6
"""Turns of a resumed conversation that are shown."""

HELP = """\
/context        what is known of the speakers and the situation
/context TEXT   set it
/why            what was in mind at the last reply
/undo           take back your last turn and its reply
/help           this
/quit           leave (or Ctrl-D); the same command goes on later
Ctrl-C stops a reply."""


def chat(session: Session, screen: Screen, quiet: bool = False, lines: Iterator[str] | None = None) -> None:
    """Converse until the input ends.

    Args:
        quiet: Don't show thoughts.
        lines: What the user types; by default standard input, with a prompt if that is a terminal.
    """
    _greet(session, screen)
    for line in _typed(session.you) if lines is None else lines:
        text = line.strip()
        if text == "/quit":
            break
        if text.startswith("/"):
            _command(text, session, screen)
        elif text:
            _exchange(text, session, screen, quiet)


def _greet(session: Session, screen: Screen) -> None:
    history = session.history
    if not history.turns:
        screen.note("/help lists the commands" + (f"; context: {history.context}" if history.context else ""))
        return
    screen.note(f"going on after {len(history.turns)} turns of {history.path}; --new begins another conversation")
    for turn in history.turns[-SHOWN_AGAIN:]:
        screen.turn(turn.said.speaker, turn.said.words())


def _typed(you: str) -> Iterator[str]:
    prompt = f"{you}: " if sys.stdin.isatty() else ""
    if prompt:
        try:
            import readline  # noqa: F401  (gives `input` its line editing)
        except ModuleNotFoundError:  # Windows, whose terminal edits lines itself
            pass
    while True:
        try:
            yield input(prompt)
        except (EOFError, KeyboardInterrupt):
            if prompt:
                print()
            return


def _exchange(text: str, session: Session, screen: Screen, quiet: bool) -> None:
    session.hear(text)
    try:
        with screen.console.status("thinking"):
            thought, note = session.plan()
    except KeyboardInterrupt:
        session.take_back()
        screen.note("stopped; your turn is taken back")
        return
    if note:
        screen.note(note)
    if thought and not quiet:
        screen.thought(thought)
    _reply(session, screen, session.speak(thought, note))


def _reply(session: Session, screen: Screen, pieces: Iterator[str]) -> None:
    try:
        with screen.console.status("writing"):
            first = next(pieces)
    except (ThanosError, KeyboardInterrupt) as error:
        session.take_back()
        screen.note(f"no reply: {str(error) or 'stopped'}; your turn is taken back")
        return
    out = screen.reply(session.other)
    out.feed(first)
    try:
        for piece in pieces:
            out.feed(piece)
    except KeyboardInterrupt:
        pieces.close()
        out.feed(" …")
    out.end()


def _command(text: str, session: Session, screen: Screen) -> None:
    name, _, rest = text.partition(" ")
    if name not in _COMMANDS:
        near = difflib.get_close_matches(name, [*_COMMANDS, "/quit"], n=1)
        screen.note(f"no command {name}" + (f"; {near[0]}?" if near else "; /help lists them"))
        return
    _COMMANDS[name](rest.strip(), session, screen)


def _context(text: str, session: Session, screen: Screen) -> None:
    if text:
        session.history.set_context(text)
    screen.note(session.history.context or "no context yet; /context TEXT sets one")


def _why(_: str, session: Session, screen: Screen) -> None:
    last = next((turn for turn in reversed(session.history.turns) if turn.said.speaker == session.other), None)
    if last is None:
        screen.note("no reply yet")
    elif last.thought is None:
        screen.note(last.note or "the last reply had no plan")
    else:
        screen.why(last.thought)


def _undo(_: str, session: Session, screen: Screen) -> None:
    gone = session.take_back()
    screen.note(f"taken back: {gone[0].said.words()}" if gone else "nothing to take back")


def _help(_: str, session: Session, screen: Screen) -> None:
    screen.note(HELP)


_COMMANDS: dict[str, Callable[[str, Session, Screen], None]] = {
    "/context": _context,
    "/why": _why,
    "/undo": _undo,
    "/help": _help,
}
