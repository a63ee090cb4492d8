"""Llama models with random weights and a tokenizer of their own, for benchmarks and tests of speed and plumbing."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from thanos.dialogue import Dialogue, Turn
from thanos.prompts import load_prompt

SHAPES = {
    # Llama-3.2-1B: https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct/blob/main/config.json
    "llama-3.2-1b": {
        "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 64, "rope_theta": 500000.0, "tie_word_embeddings": True, "max_position_embeddings": 8192,
    },
    "tiny": {
        "vocab_size": 2048, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True, "max_position_embeddings": 2048,
    },
}  # fmt: skip
TEMPLATE = (
    "{{ '<|begin|>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
SPECIAL = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
CONTEXT = (
    "Two people who have known each other for many years talk on a quiet evening. Both live in the same small town, both "
    "work in shifts, and neither of them has had a day off this week."
)
DIALOGUES = Path(__file__).parent.parent / "examples" / "original.jsonl"


def example_turns() -> list[list[dict[str, str]]]:
    """The turns of the project's original dialogues."""
    return [json.loads(line)["dialogue"] for line in DIALOGUES.read_text(encoding="utf-8").splitlines()]


def make_model(folder: Path, shape: str, seed: int = 0) -> Path:
    """Write a model folder that transformers and vLLM load: weights (bfloat16; tiny: float32), config and tokenizer."""
    sizes = SHAPES[shape]
    tokenizer = make_tokenizer(sizes["vocab_size"])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    config = LlamaConfig(**sizes, bos_token_id=tokenizer.convert_tokens_to_ids("<|begin|>"), eos_token_id=end)
    dtype = torch.float32 if shape == "tiny" else torch.bfloat16
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    model.generation_config.eos_token_id = end
    model.save_pretrained(folder)
    return folder


def make_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on the project's examples and prompt, filled up to `vocabulary` entries."""
    texts = [turn["text"] for turns in example_turns() for turn in turns]
    prompt = load_prompt("thanos")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(vocabulary, 6000) - len(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts + [prompt.system, prompt.user] * 20, trainer)
    # Random weights write any id: every one must be a token.
    trained = json.loads(backend.to_str())["model"]
    vocab = trained["vocab"]
    vocab |= {f"Ġw{i}": i for i in range(len(vocab), vocabulary - len(SPECIAL))}
    backend.model = models.BPE(vocab=vocab, merges=[tuple(m) for m in trained["merges"]])
    backend.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|begin|>",
        eos_token="<|end|>",
        pad_token="<|end|>",
        chat_template=TEMPLATE,
    )


def make_dialogues(n: int, words: tuple[int, int], seed: int = 0) -> list[Dialogue]:
    """n dialogues of the project's own turns, strung together to a number of words drawn evenly from the range."""
    generator = torch.Generator().manual_seed(seed)
    pool = [turn for turns in example_turns() for turn in turns]
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    dialogues = []
    for i in range(n):
        length, turns, spoken = draw(*words), [], 0
        while spoken < length:
            turn = pool[draw(0, len(pool))]
            text = " ".join(turn["text"].split()[: length - spoken])
            turns.append(Turn(speaker=f"Speaker {'AB'[len(turns) % 2]}", text=text))
            spoken += len(text.split()) + 3
        dialogues.append(Dialogue(id=str(i), turns=turns, social_context=CONTEXT))
    return dialogues
