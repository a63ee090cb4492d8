"""Chat messages -> token ids, by the tokenizer's own chat template, for the engines that run weights here."""

from typing import Any

from thanos.errors import EngineError
from thanos.prompts import Message

# Templates of the Llama 3 family print today's date; a fixed one (their own default) keeps results the same tomorrow.
TEMPLATE_DATE = "26 Jul 2024"


def defuse(text: str, special_tokens: list[str]) -> str:
    """Break up special tokens inside a text, so that a dialogue that says "<|im_end|>" can't end its own message."""
    for token in special_tokens:
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def encode_chats(tokenizer: Any, chats: list[list[Message]]) -> list[list[int]]:
    """Token ids of chat prompts, each up to where the assistant begins to write.

    The template writes the beginning-of-text token where the model has one; nothing adds a second. A tokenizer without
    a chat template (a base model) gets the messages as paragraphs.

    Args:
        tokenizer: A transformers tokenizer; many prompts in one call are tokenised in parallel.
        chats: For each prompt, its system and user message.
    """
    special = tokenizer.all_special_tokens + list(tokenizer.get_added_vocab())
    safe = [[{"role": m["role"], "content": defuse(m["content"], special)} for m in chat] for chat in chats]
    if not tokenizer.chat_template:
        return tokenizer(["\n\n".join(m["content"] for m in chat) for chat in safe])["input_ids"]
    try:
        texts = tokenizer.apply_chat_template(
            safe, add_generation_prompt=True, tokenize=False, date_string=TEMPLATE_DATE
        )
    except Exception as error:  # a template is a program of its author's; it may refuse a system message, say
        raise EngineError(f"the model's chat template failed: {error}") from None
    return tokenizer(texts, add_special_tokens=False)["input_ids"]


def encode_chat(tokenizer: Any, messages: list[Message]) -> list[int]:
    """`encode_chats` for one prompt."""
    return encode_chats(tokenizer, [messages])[0]
