"""One exchange after another: the user's turn, the plan, the reply."""

from collections.abc import Iterator

from thanos.chat.history import ChatTurn, History
from thanos.dialogue import Turn
from thanos.errors import ThanosError
from thanos.predict import Thanos
from thanos.respond import Responder
from thanos.skills import SkillOfMind


class Session:
    """A conversation between the user and a responder."""

    def __init__(self, thanos: Thanos | None, responder: Responder, history: History, you: str, other: str):
        """`thanos` plans, None for plain replies; `you` and `other` are the speakers' names."""
        self.history = history
        self.you, self.other = you, other
        self._thanos, self._responder = thanos, responder

    def hear(self, text: str) -> None:
        """Take the user's turn down."""
        self.history.add(ChatTurn(Turn(speaker=self.you, text=text)))

    def plan(self) -> tuple[SkillOfMind | None, str]:
        """The skill-of-mind for the reply, or None and why there is none; the reply comes all the same."""
        if self._thanos is None:
            return None, ""
        try:
            return self._thanos.predict(self.history.dialogue()), ""
        except ThanosError as error:
            return None, f"no plan: {error}"

    def speak(self, thought: SkillOfMind | None, note: str = "") -> Iterator[str]:
        """The reply, piece by piece; as much of it as was taken is kept, also when the iterator is closed early.

        Raises:
            ThanosError: if the responder fails before it has written anything.
        """
        said = ""
        try:
            for piece in self._responder.stream(self.history.dialogue(), thought, self.other):
                said += piece
                yield piece
        except ThanosError as error:
            if not said:
                raise
            note = f"the reply broke off: {error}"
            yield " …"
        finally:
            if said:
                self.history.add(ChatTurn(Turn(speaker=self.other, text=said.strip()), thought, note))

    def take_back(self) -> list[ChatTurn]:
        """Undo the last exchange, which the user began; returns its turns, none if there is none."""
        turns = self.history.turns
        last = next((n for n, turn in enumerate(reversed(turns), 1) if turn.said.speaker != self.other), len(turns))
        return self.history.undo(last) if last else []

    def close(self) -> None:
        """Free the models and close the history."""
        self._responder.close()
        if self._thanos:
            self._thanos.close()
        self.history.close()
