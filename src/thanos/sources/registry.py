"""All sources by name."""

import difflib

from thanos.errors import ThanosError
from thanos.sources import (
    blended_skill_talk,
    cactus,
    casino,
    conversation_chronicles,
    daily_dialog,
    empathetic_dialogues,
    esconv,
    multiwoz22,
    pearl,
    persuasion_for_good,
    photochat,
    prosocial_dialog,
    soda,
    stark,
    syn_persona_chat,
    wizard_of_wikipedia,
)
from thanos.sources.source import Source

_TRAINING = (
    soda,
    conversation_chronicles,
    prosocial_dialog,
    multiwoz22,
    stark,
    syn_persona_chat,
    wizard_of_wikipedia,
    pearl,
    casino,
    persuasion_for_good,
    empathetic_dialogues,
    cactus,
)
_EVALUATION = (esconv, blended_skill_talk, photochat, daily_dialog)

TRAINING: tuple[Source, ...] = tuple(module.SOURCE for module in _TRAINING)
"""The twelve sets that the paper's dataset was made from."""

EVALUATION: tuple[Source, ...] = tuple(module.SOURCE for module in _EVALUATION)

SOURCES: dict[str, Source] = {source.name: source for source in (*TRAINING, *EVALUATION)}


def find_source(name: str) -> Source:
    """A source by name.

    Raises:
        ThanosError: if there is none; names the nearest.
    """
    source = SOURCES.get(name)
    if source is None:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), SOURCES, n=1, cutoff=0.5)
        raise ThanosError(
            f"unknown source {name!r}; " + (f"did you mean {near[0]!r}?" if near else "see `thanos sources`")
        )
    return source
