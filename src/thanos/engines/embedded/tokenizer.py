"""The base's tokenizer, built from the GGUF file's metadata alone."""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from thanos.engines.embedded.gguf_file import open_gguf
from thanos.errors import EngineError

CONTROL, USER_DEFINED = 3, 4
"""llama.cpp's token types of special tokens."""
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2's pattern of words."""


def read_tokenizer(path: Path) -> Tokenizer:
    """Build the tokenizer of a GGUF file with the "smollm" rules.

    Text is cut at every digit, then by GPT-2's pattern, then merged as byte-level BPE. (Conversions that leave out the
    rule for digits give other ids for numbers than the model was trained on.) Special tokens are recognised in a
    text; nothing is added to it.

    Raises:
        EngineError: for another kind of tokenizer.
    """
    fields = open_gguf(path).fields
    kind = fields["tokenizer.ggml.model"].contents(), fields["tokenizer.ggml.pre"].contents()
    if kind != ("gpt2", "smollm"):
        raise EngineError(f"{path.name}: unknown tokenizer {kind}")
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = fields["tokenizer.ggml.token_type"].contents()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind in (CONTROL, USER_DEFINED)]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer
