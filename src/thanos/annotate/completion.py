"""The body of a chat completion -> its text and usage."""

from typing import Any

from thanos.engines.protocol import Usage
from thanos.errors import ThanosError


class UselessAnswerError(ThanosError):
    """A successful answer that can't be used.

    Attributes:
        usage: What it cost all the same.
    """

    def __init__(self, reason: str, usage: Usage | None = None):
        self.usage = usage or Usage()
        super().__init__(reason)


def read_completion(body: Any) -> tuple[str, Usage]:
    """The message's text.

    Raises:
        UselessAnswerError: if the answer holds none, or was cut off.
    """
    try:
        choice, used = body["choices"][0], body.get("usage") or {}
        text, finish = choice["message"].get("content"), choice.get("finish_reason")
        usage = Usage(int(used.get("prompt_tokens") or 0), int(used.get("completion_tokens") or 0))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise UselessAnswerError("the answer holds no message") from None
    if finish == "length":
        raise UselessAnswerError("the answer was cut off", usage)
    if not isinstance(text, str) or not text.strip():
        raise UselessAnswerError(f"the answer is empty ({finish})", usage)
    return text, usage
