"""Training rows as the sequences that a model sees, each token with its label: to look for mistakes in the mask."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thanos.prompts import load_prompt
from thanos.train.batches import CollatePadded
from thanos.train.config import TrainConfig
from thanos.train.encode import Encoder
from thanos.train.rows import training_rows


@dataclass(frozen=True)
class LabelledSequence:
    """One sequence."""

    what: str
    """Which of a row's sequences it is."""
    ids: list[int]
    labels: list[int]
    """The token itself where it's trained, else -100."""


def labelled_sequences(config: TrainConfig, tokenizer: Any) -> Iterator[tuple[int, list[LabelledSequence]]]:
    """(line, sequences) of each training row: one for each target, or (dpo) the chosen and the rejected one."""
    encoder = Encoder(tokenizer, load_prompt(config.prompt), config.max_tokens)
    rows = training_rows(config.train, config.also_share)
    collate = CollatePadded(tokenizer.pad_token_id)

    def sequence(what: str, prompt: list[int], completion: list[int]) -> LabelledSequence:
        batch = collate([{"prompt": prompt, "completion": completion, "weight": 1.0}])
        return LabelledSequence(what, batch["input_ids"][0].tolist(), batch["labels"][0].tolist())

    if config.method == "dpo":
        for row, pair in encoder.pairs(rows):
            both = (("chosen", pair.chosen), ("rejected", pair.rejected))
            yield row.line, [sequence(what, pair.prompt, text) for what, text in both]
        return
    for row, examples in encoder.examples(rows):
        named = [f"{target.skill.value} (weight {target.weight:.2g})" for target in row.targets]
        pairs = zip(named, examples, strict=True)
        yield row.line, [sequence(what, example.prompt, example.completion) for what, example in pairs]
