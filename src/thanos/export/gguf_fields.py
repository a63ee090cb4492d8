"""A GGUF file's fields: the model's sizes, and its tokenizer."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
from gguf import TokenType

from thanos.export.gguf_words import words_rule
from thanos.export.tensors import gguf_reader

OWN = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", gguf.Keys.General.ARCHITECTURE)
"""Fields that the writer sets."""
SET_ANEW = (gguf.Keys.General.FILE_TYPE, gguf.Keys.General.QUANTIZATION_VERSION)


def copy_fields(writer: gguf.GGUFWriter, base: Path) -> None:
    """Take over the fields of a GGUF file, its tokenizer and chat template included."""
    for name, field in gguf_reader(base).fields.items():
        if name not in OWN and name not in SET_ANEW:
            kind, *of = field.types
            writer.add_key_value(name, field.contents(), kind, of[0] if of else None)


def add_model_fields(writer: gguf.GGUFWriter, config: Any, name: str) -> None:
    """Name, sizes and constants of a llama model."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(head_dim)
    writer.add_vocab_size(config.vocab_size)


def add_tokenizer_fields(writer: gguf.GGUFWriter, tokenizer: Any, config: Any, rows: int) -> None:
    """A byte-level BPE tokenizer: tokens, merges, rules, special tokens and chat template.

    Args:
        tokenizer: A transformers tokenizer.
        config: The model's, for special tokens that the tokenizer doesn't name.
        rows: Of the table of tokens; those beyond the tokenizer's are filled up as unused.

    Raises:
        ThanosError: for another kind of tokenizer, or one that cuts words in a way that llama.cpp doesn't know.
    """
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words_rule(tokenizer))
    tokens, types = _tokens(tokenizer, rows)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        config.save_pretrained(folder)
        special = gguf.SpecialVocab(folder, load_merges=True)
    begins = tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    special.add_special_token = {"bos": begins, "eos": False}
    special.add_to_gguf(writer, quiet=True)


def _tokens(tokenizer: Any, rows: int) -> tuple[list[str], list[TokenType]]:
    names = {number: name for name, number in tokenizer.get_vocab().items()}
    added = tokenizer.added_tokens_decoder
    tokens, types = [], []
    for number in range(rows):
        tokens.append(names.get(number, f"[PAD{number}]"))
        if number in added:
            types.append(TokenType.CONTROL if added[number].special else TokenType.USER_DEFINED)
        else:
            types.append(TokenType.NORMAL if number in names else TokenType.UNUSED)
    return tokens, types
