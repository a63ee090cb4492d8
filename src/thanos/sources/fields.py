"""Fields of a row, checked: absent and null are the same, a wrong type is a reason not to use the row."""

import json
from typing import Any

from thanos.sources.source import Row, Unusable


def text(row: Row, key: str) -> str:
    """A text field without blanks around it; "" if it is absent or null."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unusable(f"`{key}` isn't text")
    return value.strip()


def number(row: Row, key: str) -> str:
    """A number or text as text; "" if it is absent or null."""
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Unusable(f"`{key}` is neither a number nor text")
    return str(value).strip()


def texts(row: Row, key: str) -> list[str]:
    """A list of texts, without blanks around each; [] if it is absent or null, and "" for null in it."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str | None) for item in value):
        raise Unusable(f"`{key}` isn't a list of texts")
    return [(item or "").strip() for item in value]


def objects(row: Row, key: str) -> list[dict[str, Any]]:
    """A list of objects; [] if it is absent or null."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unusable(f"`{key}` isn't a list of objects")
    return value


def mapping(row: Row, key: str) -> dict[str, Any]:
    """An object, or the JSON text of one; {} if it is absent, null or "null"."""
    value = row.get(key)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise Unusable(f"`{key}` isn't JSON") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unusable(f"`{key}` isn't an object")
    return value


def need(row: Row, *keys: str) -> None:
    """Raise with the first of the fields that the row lacks or has as null."""
    for key in keys:
        if row.get(key) is None:
            raise Unusable(f"`{key}` is missing" if key not in row else f"`{key}` is null")
