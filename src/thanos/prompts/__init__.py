"""Dialogue -> prompt, and the model's text -> explanation and skill."""

from thanos.prompts.fit import FittedPrompt, ShortenedDialogue, fit, shorten
from thanos.prompts.template import Message, Prompt, load_prompt
from thanos.prompts.thought import MARKER, Thought, format_thought, parse_thought

__all__ = [
    "MARKER",
    "FittedPrompt",
    "Message",
    "Prompt",
    "ShortenedDialogue",
    "Thought",
    "fit",
    "format_thought",
    "load_prompt",
    "parse_thought",
    "shorten",
]
