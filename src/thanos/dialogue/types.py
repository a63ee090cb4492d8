"""Turn and Dialogue: the form that every source, prompt and engine of the project shares."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

IMAGE_MARK = "[Sharing Image]"
"""How a shared picture is written in a prompt, as in the document that released weights were tuned on."""


class Turn(BaseModel):
    """One thing said, or shown, by one speaker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speaker: str = Field(min_length=1)
    text: str = ""
    image: str | None = None
    """Description of a picture shared in this turn."""

    @field_validator("speaker", mode="before")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        return whole_characters(" ".join(value.split())) if isinstance(value, str) else value

    @field_validator("text", "image")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        return whole_characters(value) if value else value

    def words(self) -> str:
        """The turn on one line, without the speaker: a picture first, then the text.

        A line break inside a turn becomes a blank, so that no text can pass itself off as another speaker's turn.
        """
        picture = f"{IMAGE_MARK} {self.image}" if self.image else ""
        return " ".join(f"{picture} {self.text}".split())


def whole_characters(text: str) -> str:
    """The text with U+FFFD for every half of a surrogate pair: JSON may hold them (a cut emoji), UTF-8 can't."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Dialogue(BaseModel):
    """A social context and the turns so far; the next speaker's skill is what a model predicts."""

    model_config = ConfigDict(frozen=True)

    id: str = ""
    turns: list[Turn] = Field(min_length=1)
    social_context: str = ""
    """What is known of the speakers and the situation, in free text."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Whatever else the row held; carried through to the output row."""

    @field_validator("id", "social_context")
    @classmethod
    def _whole(cls, value: str) -> str:
        return whole_characters(value)

    def text(self) -> str:
        """`Speaker: words`, one turn a line."""
        return "\n".join(f"{turn.speaker}: {turn.words()}" for turn in self.turns)

    def prefix(self, n: int) -> "Dialogue":
        """The same dialogue after its first n turns (n >= 1)."""
        return self.model_copy(update={"turns": self.turns[:n]})
