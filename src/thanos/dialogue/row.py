"""One JSON object -> Dialogue, whichever of the known shapes it has.

Known shapes: this project's rows (`turns: [{speaker, text}]`, `dialogue` for `turns`), the original project's rows
(`dialogue: [{speaker, utter}]`, `social_context_prompt`), OpenAI chat `messages`, and turns written as text.
"""

import difflib
import re
from typing import Any

from pydantic import ValidationError

from thanos.dialogue.plain_text import turn_from_line, turns_from_text
from thanos.dialogue.types import Dialogue, Turn
from thanos.errors import ThanosError

TURNS_KEYS = ("turns", "dialogue", "messages")
CONTEXT_KEYS = ("social_context", "social_context_prompt")
ID_KEYS = ("id", "index")
SPEAKER_KEYS = ("speaker", "role", "name")
TEXT_KEYS = ("text", "utter", "utterance", "content")
IMAGE_KEYS = ("image", "image_description")

_PLAIN_KEYS = {"speaker", "text"}
_ROLE_NAMES = {"user": "User", "assistant": "Assistant"}
_OLD_IMAGE = re.compile(r"\[Sharing Image:\s*([^\]]*)\]")


def dialogue_from_row(row: Any, fallback_id: str = "") -> Dialogue:
    """Read one row.

    Args:
        row: A decoded JSON object.
        fallback_id: The id to use when the row has none.

    Raises:
        ThanosError: one line that says what is wrong, in which turn, and how to mend it.
    """
    if not isinstance(row, dict):
        raise ThanosError(f"expected an object with turns, found {_kind(row)}")
    turns_key = _first_key(row, TURNS_KEYS)
    if turns_key is None:
        raise ThanosError(_no_turns(row))
    context_key, id_key = _first_key(row, CONTEXT_KEYS), _first_key(row, ID_KEYS)
    context = row[context_key] if context_key and row[context_key] is not None else ""
    if not isinstance(context, str):
        raise ThanosError(f"{context_key}: expected text, found {_kind(context)}")
    if turns_key == "messages":
        system, turns = _from_messages(row["messages"])
        context = "\n".join(part for part in (context, system) if part)
    else:
        turns = _from_turns(row[turns_key], turns_key)
    if not turns:
        raise ThanosError(f"{turns_key}: empty dialogue; give at least one turn")
    used = {turns_key, context_key, id_key}
    return Dialogue(
        id=str(row[id_key]) if id_key and row[id_key] is not None else fallback_id,
        turns=turns,
        social_context=context,
        meta={key: value for key, value in row.items() if key not in used},
    )


def _from_turns(value: Any, key: str) -> list[Turn]:
    if isinstance(value, str):
        return turns_from_text(value)
    if not isinstance(value, list):
        raise ThanosError(f"{key}: expected a list of turns, found {_kind(value)}")
    return [turn_from_value(item, f"{key}[{i}]") for i, item in enumerate(value)]


def turn_from_value(item: Any, where: str) -> Turn:
    """Read one turn: `{speaker, text}` in any of the known spellings, or `Name: words`; `where` is for the error."""
    if isinstance(item, str):
        return turn_from_line(item, where)
    if not isinstance(item, dict):
        raise ThanosError(f"{where}: expected {{speaker, text}}, found {_kind(item)}")
    if _is_plain(item):
        return Turn(speaker=item["speaker"], text=item["text"])
    speaker, text, image = (_first_value(item, keys) for keys in (SPEAKER_KEYS, TEXT_KEYS, IMAGE_KEYS))
    if speaker is None or not str(speaker).strip():
        raise ThanosError(f'{where}: a turn without a speaker; add "speaker"')
    if text is None and image is None:
        near = difflib.get_close_matches("text", item, n=1, cutoff=0.5)
        raise ThanosError(f"{where}: a turn without text; " + (f"is {near[0]!r} meant?" if near else 'add "text"'))
    for name, value in (("text", text), ("image", image)):
        if value is not None and not isinstance(value, str):
            raise ThanosError(f"{where}.{name}: expected text, found {_kind(value)}")
    shared = _OLD_IMAGE.search(text or "")
    if shared and image is None:
        image, text = shared.group(1).strip(), _OLD_IMAGE.sub("", text, count=1).strip()
    try:
        return Turn(speaker=str(speaker), text=text or "", image=image)
    except ValidationError as error:
        raise ThanosError(f"{where}: {error.errors()[0]['msg']}") from None


def _is_plain(item: dict) -> bool:
    """True for `{"speaker", "text"}` and nothing else: nearly every turn, read three times as fast."""
    return (
        item.keys() == _PLAIN_KEYS
        and type(item["text"]) is str
        and type(item["speaker"]) is str
        and not item["speaker"].isspace()
        and item["speaker"] != ""
        and "[Sharing Image:" not in item["text"]
    )


def _from_messages(messages: Any) -> tuple[str, list[Turn]]:
    """OpenAI chat messages -> (system text, turns). Tool calls and their results are no dialogue and are left out."""
    if not isinstance(messages, list):
        raise ThanosError(f"messages: expected a list, found {_kind(messages)}")
    system, turns = [], []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ThanosError(f'{where}: a message without a role; add "role"')
        role, (text, image) = message["role"], _content(message.get("content"), where)
        if role in ("system", "developer"):
            system.append(text)
        elif role in _ROLE_NAMES and (text or image):
            name = str(message.get("name") or "").strip()
            turns.append(Turn(speaker=name or _ROLE_NAMES[role], text=text, image=image))
        elif role not in (*_ROLE_NAMES, "tool", "function"):
            raise ThanosError(f"{where}: unknown role {role!r}; use system, user, assistant or tool")
    return "\n".join(system), turns


def _content(content: Any, where: str) -> tuple[str, str | None]:
    """A message's text, and a note of a picture in it (its pixels say nothing to a text model)."""
    if content is None:
        return "", None
    if isinstance(content, str):
        return content, None
    if not isinstance(content, list):
        raise ThanosError(f"{where}.content: expected text or a list of parts, found {_kind(content)}")
    parts = [part if isinstance(part, dict) else {"type": "text", "text": str(part)} for part in content]
    text = " ".join(str(part.get("text", "")) for part in parts if "text" in str(part.get("type", "text")))
    picture = any("image" in str(part.get("type", "")) for part in parts)
    return text, "a picture" if picture else None


def _no_turns(row: dict) -> str:
    near = next((n for key in TURNS_KEYS for n in difflib.get_close_matches(key, row, n=1, cutoff=0.7)), None)
    if near:
        return f'no turns; the nearest key is {near!r}: rename it to "turns"'
    found = ", ".join(map(repr, list(row)[:6])) or "nothing"
    return f'no turns; found {found}: add "turns": [{{"speaker": ..., "text": ...}}]'


def _first_key(row: dict, keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in row), None)


def _first_value(row: dict, keys: tuple[str, ...]) -> Any:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
