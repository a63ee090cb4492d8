"""Spacing that a set's tokenizer or CSV writer left behind, put right without touching a word."""

import re

_MARKS = [(f" {mark} ", f"{mark} ", f" {mark}") for mark in ",.!?;:%"]
_COMMA = re.compile(r"[ \t]*_comma_[ \t]*")
_BEFORE_MARK = re.compile(r"\s+(?=[,.!?;:%)\]]+(?:\s|$))")
_BEFORE_APOSTROPHE = re.compile(r"(?<=\w)\s+(?=[’']\s*(?:t|s|m|d|ll|re|ve)\b(?!\s*[’']))")
_AFTER_APOSTROPHE = re.compile(r"(?<=\w[’'])\s+(?=(?:t|s|m|d|ll|re|ve)\b(?!\s*[’']))")
_AFTER_BRACKET = re.compile(r"(?<=[(\[])\s+")
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
    text, more = f"{text.strip()} ", ")" in text or "]" in text
    for spaced, joined, left in _MARKS:  # nearly all there is to do, and faster than the pattern that does the rest
        if left in text:
            text = text.replace(spaced, joined)
            more = more or left in text
    if more:
        text = _BEFORE_MARK.sub("", text)
    if "’" in text or "'" in text:
        text = _AFTER_APOSTROPHE.sub("", _BEFORE_APOSTROPHE.sub("", text))
    if "(" in text or "[" in text:
        text = _AFTER_BRACKET.sub("", text)
    return _BLANKS.sub(" ", text).strip() if "  " in text else text.strip()


def without_stray_quote(text: str) -> str:
    """SODA: drop a closing `"` that nothing opened."""
    return text[:-1].rstrip() if text.endswith('"') and text.count('"') % 2 else text
