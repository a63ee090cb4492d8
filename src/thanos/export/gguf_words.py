"""How a tokenizer cuts text into words before it merges bytes, under llama.cpp's names."""

import json
from typing import Any

from thanos.engines.embedded.tokenizer import WORDS
from thanos.errors import ThanosError

LLAMA_3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Llama 3's pattern of words."""
DIGITS = "one digit at a time"
GPT_2 = (WORDS,)
RULES = {GPT_2: "gpt-2", (DIGITS, WORDS): "smollm", (LLAMA_3_WORDS,): "llama-bpe"}
"""Steps that cut -> name, as in llama.cpp's llama-vocab.cpp."""


def words_rule(tokenizer: Any) -> str:
    """llama.cpp's name of the rule.

    Raises:
        ThanosError: if it isn't byte-level BPE, or llama.cpp has no such rule.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str()) if tokenizer.is_fast else {"model": {}}
    model, cut = backend["model"], backend.get("pre_tokenizer") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback") or backend.get("normalizer"):
        raise ThanosError("--to gguf writes byte-level BPE tokenizers only, and this model's is another; use --to hf")
    steps = tuple(step for part in cut.get("pretokenizers", [cut]) for step in _steps(part))
    if steps not in RULES:
        raise ThanosError("--to gguf: this model's tokenizer cuts words in a way of its own; use --to hf")
    return RULES[steps]


def _steps(part: dict[str, Any]) -> tuple[str, ...]:
    kind = part.get("type")
    if kind == "Digits" and part.get("individual_digits"):
        return (DIGITS,)
    if kind == "Split" and part.get("behavior") == "Isolated" and not part.get("invert"):
        return (part["pattern"].get("Regex", kind),)
    if kind == "ByteLevel" and not part.get("add_prefix_space"):
        return GPT_2 if part.get("use_regex", True) else ()
    return (str(kind),)
