"""Training rows -> token ids: the prompt as the engines send it, and exactly what the model is to write after it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from thanos.engines.chat_tokens import defuse, encode_chat, encode_chats
from thanos.errors import ThanosError
from thanos.prompts import Prompt, fit
from thanos.train.packed.batch import Example
from thanos.train.rows import Target, TrainingRow

ROWS_TOGETHER = 256
"""Rows that are tokenised in one call, in parallel."""


@dataclass(frozen=True)
class Pair:
    """One prompt with a better and a worse text to follow it."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


class Encoder:
    """A tokenizer and a prompt, for rows of up to `max_tokens` tokens."""

    def __init__(self, tokenizer: Any, prompt: Prompt, max_tokens: int):
        """See `TrainConfig` for the arguments."""
        self._tokenizer, self._prompt, self._max = tokenizer, prompt, max_tokens
        self._special = tokenizer.all_special_tokens + list(tokenizer.get_added_vocab())
        self._end = end_token(tokenizer)

    def examples(self, rows: Iterable[TrainingRow]) -> Iterator[tuple[TrainingRow, list[Example]]]:
        """Each row with one example for each of its targets.

        Raises:
            ThanosError: for a row of which not even the answer fits.
        """
        for row, prompt, answers in self._encoded((row, row.targets) for row in rows):
            examples = zip(answers, row.targets, strict=True)
            yield row, [Example(prompt, answer, target.weight) for answer, target in examples]

    def pairs(self, rows: Iterable[TrainingRow]) -> Iterator[tuple[TrainingRow, Pair]]:
        """Each row that has a rejected thought, as a pair with its own. Raises as `examples`."""
        with_both = ((row, (row.targets[0], row.rejected)) for row in rows if row.rejected)
        for row, prompt, (chosen, rejected) in self._encoded(with_both):
            yield row, Pair(prompt, chosen, rejected)

    def _encoded(
        self, rows: Iterable[tuple[TrainingRow, tuple[Target, ...]]]
    ) -> Iterator[tuple[TrainingRow, list[int], list[list[int]]]]:
        """(row, prompt, the tokens of each target)."""
        rows = iter(rows)
        while together := list(islice(rows, ROWS_TOGETHER)):
            prompts = encode_chats(self._tokenizer, [self._prompt.render(row.dialogue) for row, _ in together])
            for (row, targets), prompt in zip(together, prompts, strict=True):
                answers = [self._answer(target.text) for target in targets]
                room = self._max - max(map(len, answers))
                yield row, prompt if len(prompt) <= room else self._shortened(row, room), answers

    def _answer(self, text: str) -> list[int]:
        safe = defuse(text, self._special)
        return [*self._tokenizer(safe, add_special_tokens=False)["input_ids"], self._end]

    def _shortened(self, row: TrainingRow, room: int) -> list[int]:
        if room < 1:
            raise ThanosError(f"line {row.line}: the answer alone is longer than max_tokens {self._max}")
        count = lambda messages: len(encode_chat(self._tokenizer, messages))
        try:
            fitted = fit(row.dialogue, self._prompt, count, room)
        except ThanosError as error:
            raise ThanosError(f"line {row.line}: {error}; raise max_tokens") from None
        return encode_chat(self._tokenizer, fitted.messages)


def end_token(tokenizer: Any) -> int:
    """The token that ends the assistant's turn: what the chat template writes right after its text.

    Raises:
        ThanosError: if the tokenizer has neither that nor an end-of-text token.
    """
    said = "Yes"
    if tokenizer.chat_template:
        talk = [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": said}]
        after = tokenizer.apply_chat_template(talk, tokenize=False).rpartition(said)[2]
        ids = tokenizer(after, add_special_tokens=False)["input_ids"]
        if ids and ids[0] in tokenizer.added_tokens_decoder:
            return ids[0]
    if tokenizer.eos_token_id is None:
        raise ThanosError("the model's tokenizer has no end-of-text token")
    return tokenizer.eos_token_id
