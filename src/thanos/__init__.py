"""Thanos: plan the conversational skill, then speak.

`from thanos import Thanos, Dialogue` is all that most programs need. Names are imported when first used, so that
`import thanos` costs nothing.
"""

from importlib import import_module

_HOME = {
    "Dialogue": "thanos.dialogue",
    "Turn": "thanos.dialogue",
    "Responder": "thanos.respond",
    "Skill": "thanos.skills",
    "SkillOfMind": "thanos.skills",
    "Thanos": "thanos.predict",
    "ThanosError": "thanos.errors",
}

__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'thanos' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
