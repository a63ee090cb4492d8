"""Spacing that a set's tokenizer or CSV writer left behind, put right without touching a word."""

import re

_COMMA = re.compile(r"[ \t]*_comma_[ \t]*")
_BEFORE_MARK = re.compile(r"\s+([,.!?;:%)\]]+)(?=\s|$)")
_APOSTROPHE = re.compile(r"(\w)\s*([’'])\s*(t|s|m|d|ll|re|ve)\b(?!\s*[’'])")
_AFTER_BRACKET = re.compile(r"([(\[])\s+")
_BLANKS = re.compile(r"[ \t]{2,}")


def commas(text: str) -> str:
    """EmpatheticDialogues: `_comma_` -> `, `, without a blank where it stands between digits or at the end."""

    def mark(match: re.Match) -> str:
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        digits = before.isdigit() and after.isdigit() and match.group().strip() == match.group()
        return "," if digits or not after else ", "

    return _COMMA.sub(mark, text)


def untokenised(text: str) -> str:
    """DailyDialog: `Hey man , I didn ’ t .` -> `Hey man, I didn’t.`"""
    text = _APOSTROPHE.sub(r"\1\2\3", text)
    text = _AFTER_BRACKET.sub(r"\1", _BEFORE_MARK.sub(r"\1", text))
    return _BLANKS.sub(" ", text).strip()


def without_stray_quote(text: str) -> str:
    """SODA: drop a closing `"` that nothing opened."""
    return text[:-1].rstrip() if text.endswith('"') and text.count('"') % 2 else text
