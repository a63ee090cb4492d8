"""The checks that need one row alone."""

from dataclasses import dataclass

from thanos.data.annotated_turn import AnnotatedTurn
from thanos.data.leakage import leakage
from thanos.data.recipe import ExplanationRules, LeakageRules, Recipe
from thanos.data.words import words

FIRST_PERSON = frozenset(
    {"i", "i'm", "i've", "i'd", "i'll", "me", "my", "mine", "myself", "let's"}
    | {"we", "we're", "we've", "we'd", "we'll", "us", "our", "ours", "ourselves"}
)


@dataclass(frozen=True)
class Fault:
    """Why a row is dropped."""

    reason: str
    """One of a few fixed words, to be counted."""
    detail: str = ""
    """What was found."""


def check(row: AnnotatedTurn, recipe: Recipe) -> Fault | None:
    """The first rule that a row breaks, or None."""
    fault = _explanation(row, recipe.explanation)
    if fault is None and recipe.leakage and row.turn.response:
        fault = _leak(row, recipe.leakage)
    return fault


def _explanation(row: AnnotatedTurn, rules: ExplanationRules) -> Fault | None:
    tokens = words(row.explanation)
    if len(tokens) < rules.min_words:
        return Fault("explanation too short", f"{len(tokens)} words of at least {rules.min_words}")
    if len(tokens) > rules.max_words:
        return Fault("explanation too long", f"{len(tokens)} words of at most {rules.max_words}")
    if FIRST_PERSON.isdisjoint(tokens):
        if rules.first_person:
            return Fault("not in the first person", "no word like I, my or we")
        text = f" {' '.join(tokens)} "
        for name in (*rules.thinker_names, row.turn.speaker):
            if f" {' '.join(words(name))} " in text:
                return Fault("not in the first person", f"speaks of {name!r}")
    return None


def _leak(row: AnnotatedTurn, rules: LeakageRules) -> Fault | None:
    dialogue = row.turn.dialogue
    known = [dialogue.social_context, row.turn.speaker]
    known += [text for turn in dialogue.turns for text in (turn.speaker, turn.words())]
    found = leakage(row.explanation, row.turn.response.words(), known)
    if found.copied > rules.max_copied:
        return Fault("reveals the reply", f"{found.copied} words in a row")
    if found.shared >= rules.min_shared and found.share >= rules.max_share:
        return Fault("reveals the reply", f"{found.shared} of its new words, {found.share:.0%}")
    return None
