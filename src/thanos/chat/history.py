"""A conversation on disk: one JSON line for everything that happened, appended at once and never changed.

Events: `{"event": "new"}`, `{"event": "context", "text"}`, `{"event": "undo", "turns"}`, and
`{"event": "turn", "speaker", "text", "thought", "note"}`. Reading them in order gives the conversation as it stands.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thanos.dialogue import Dialogue, Turn
from thanos.dialogue.types import whole_characters
from thanos.errors import ThanosError
from thanos.skills import SkillOfMind


@dataclass(frozen=True)
class ChatTurn:
    """Something said, and what its speaker had in mind."""

    said: Turn
    thought: SkillOfMind | None = None
    """None for what the user says, and for a reply without a plan."""
    note: str = ""
    """Why a reply has no plan."""


class History:
    """The conversation as it stands, and the file that it is kept in."""

    def __init__(self, path: Path):
        """Open or create the file and read what was said; a last line that a kill cut short is dropped.

        Raises:
            ThanosError: if the file holds something else, or can't be written.
        """
        self.path = path
        self.context = ""
        self.turns: list[ChatTurn] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        except OSError as error:
            raise ThanosError(f"can't write {path}: {error.strerror.lower()}") from None
        self._load()

    def dialogue(self) -> Dialogue:
        """The turns so far; there must be one."""
        return Dialogue(turns=[turn.said for turn in self.turns], social_context=self.context)

    def begin_anew(self) -> None:
        """Forget turns and context; the file keeps them."""
        self._happen({"event": "new"})

    def set_context(self, text: str) -> None:
        """Set what is known of the speakers and the situation."""
        self._happen({"event": "context", "text": whole_characters(text)})

    def add(self, turn: ChatTurn) -> None:
        """Add a turn at the end."""
        thought = turn.thought and turn.thought.model_dump(mode="json", exclude={"raw", "category", "error"})
        event = {"event": "turn", **turn.said.model_dump(exclude_none=True), "thought": thought, "note": turn.note}
        self._happen({name: value for name, value in event.items() if value or name == "text"})

    def undo(self, turns: int) -> list[ChatTurn]:
        """Take the last turns back and return them."""
        gone = self.turns[len(self.turns) - turns :]
        self._happen({"event": "undo", "turns": turns})
        return gone

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _happen(self, event: dict[str, Any]) -> None:
        self._apply(event)
        self._file.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def _apply(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "new":
            self.context, self.turns = "", []
        elif kind == "context":
            self.context = event["text"]
        elif kind == "undo":
            del self.turns[len(self.turns) - event["turns"] :]
        elif kind == "turn":
            said = Turn(speaker=event["speaker"], text=event["text"], image=event.get("image"))
            thought = SkillOfMind.model_validate(event["thought"]) if event.get("thought") else None
            self.turns.append(ChatTurn(said, thought, event.get("note", "")))
        else:
            raise KeyError(kind)

    def _load(self) -> None:
        self._file.seek(0)
        end = 0
        for number, raw in enumerate(self._file, start=1):
            if not raw.endswith(b"\n"):
                break  # cut short by a kill
            try:
                self._apply(json.loads(raw))
            except (ValueError, KeyError, TypeError, ValidationError):
                raise ThanosError(f"{self.path} line {number} isn't of a chat; give another --history") from None
            end += len(raw)
        self._file.truncate(end)
        self._file.seek(0, 2)
