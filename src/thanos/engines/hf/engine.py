"""hf/<id or folder or file.gguf>: batched decoding with transformers, on a GPU in bfloat16 or on the CPU in float32.

Requests are sorted by length within a window and decoded in batches. What all prompts of a batch
begin with (the system message and the task description) is computed once and its keys and values reused.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from thanos.engines.chat_tokens import encode_chat, encode_chats
from thanos.engines.choice_trie import ChoiceTrie
from thanos.engines.free_part import cut_before_lead
from thanos.engines.hf.load import load
from thanos.engines.hf.sampling import pick_tokens
from thanos.engines.hf.steps import (
    BUCKET,
    EagerSteps,
    GraphSteps,
    Steps,
    cache_argument,
    prefill,
    use_grouped_attention,
)
from thanos.engines.protocol import Choices, Generation, Request, Usage
from thanos.prompts import Message

GPU_BATCH, CPU_BATCH = 256, 8
WINDOW = 8
"""Batches that are sorted by length together: enough to make lengths alike, few enough to hold in hand."""
SHORTEST_HEAD = 16
"""Common beginnings shorter than this aren't worth a pass of their own."""
LOOK_EVERY = 8
"""Decoding steps between looks at what was written: looking waits for the GPU, which costs more than a spare step."""
CHOICE_ROOM = 32
"""Tokens that the lead and a name take at most."""


class TransformersEngine:
    """Weights in this process, through transformers."""

    def __init__(
        self,
        model: str,
        adapter: str | None = None,
        batch_size: int | None = None,
        dtype: torch.dtype | None = None,
    ):
        """Load tokenizer, weights and, if given, a PEFT adapter.

        Args:
            model: Hub id, folder, or a GGUF file (which is dequantised).
            adapter: Hub id or folder of a PEFT adapter; merged into the weights.
            batch_size: Rows decoded together; by default 256 on a GPU, 8 on a CPU.
            dtype: Of the weights; by default bfloat16 on a GPU, float32 on a CPU.

        Raises:
            EngineError: if there is no such model or adapter, or it doesn't load.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        tokenizer, weights = load(model, adapter, device, dtype)
        self._set_up(f"hf/{model}" + (f"+{adapter}" if adapter else ""), tokenizer, weights, batch_size)
        self._graphs = GraphSteps.fits(weights)
        if self._graphs:
            use_grouped_attention(weights)

    @classmethod
    def around(cls, name: str, tokenizer: Any, model: Any, batch_size: int | None = None) -> "TransformersEngine":
        """An engine on a model that is at hand, e.g. in the middle of its training; the model stays as it is."""
        engine = cls.__new__(cls)
        engine._set_up(name, tokenizer, model, batch_size)
        engine._graphs = False
        return engine

    def _set_up(self, name: str, tokenizer: Any, model: Any, batch_size: int | None) -> None:
        self.name, self._tokenizer, self._model = name, tokenizer, model
        self._device = model.device
        self._batch = batch_size or (GPU_BATCH if self._device.type == "cuda" else CPU_BATCH)
        self.context_window = getattr(self._model.config, "max_position_embeddings", None)
        end = self._model.generation_config.eos_token_id
        ends = end if isinstance(end, list) else [end]
        self._ends = torch.tensor(
            [e for e in (*ends, self._tokenizer.eos_token_id) if e is not None], device=self._device
        )
        self._pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else int(self._ends[0])
        self._steps: GraphSteps | None = None
        self._head: tuple[list[int], Any] = ([], None)
        self._tries: dict[Choices, tuple[list[int], list[int], ChoiceTrie]] = {}

    def count_tokens(self, messages: list[Message]) -> int:
        """Exact number of tokens, chat template included."""
        return len(encode_chat(self._tokenizer, messages))

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Decode in batches; results come a batch at a time, longest prompts of a window first."""
        for batch in self._batches(requests):
            yield from self._decode([r for r, _ in batch], [ids for _, ids in batch])

    @torch.inference_mode()
    def score(
        self, requests: Iterable[Request], continuations: Iterable[Sequence[str]]
    ) -> Iterator[tuple[Any, list[float]]]:
        """Log-probabilities of continuations; see `ScoringEngine`."""
        for request, texts in zip(requests, continuations, strict=True):
            prompt = encode_chat(self._tokenizer, request.messages)
            ends = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
            values: list[float] = []
            for start in range(0, len(ends), self._batch):
                values += self._score_batch(prompt, ends[start : start + self._batch])
            yield request.key, values

    def close(self) -> None:
        """Free the weights."""
        self._model = self._steps = None
        self._head = ([], None)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _batches(self, requests: Iterable[Request]) -> Iterator[list[tuple[Request, list[int]]]]:
        requests = iter(requests)
        while asked := list(islice(requests, self._batch * WINDOW)):
            prompts = encode_chats(self._tokenizer, [r.messages for r in asked])
            window = list(zip(asked, prompts, strict=True))
            window.sort(key=lambda item: (item[0].max_tokens == 0, -len(item[1])))
            for start in range(0, len(window), self._batch):
                yield window[start : start + self._batch]

    @torch.inference_mode()
    def _decode(self, requests: list[Request], prompts: list[list[int]]) -> Iterator[Generation]:
        most = max(r.max_tokens for r in requests)
        steps, mask, logits = self._prefill(prompts, most + CHOICE_ROOM)
        leads = {r.choices.lead for r in requests if r.choices}
        generators = [torch.Generator(self._device).manual_seed(r.seed) for r in requests]
        budget = torch.tensor([r.max_tokens for r in requests], device=self._device)
        written: list[torch.Tensor] = []
        alive = budget > 0
        for n in range(1, most + 1):
            tokens = pick_tokens(logits, requests, generators)
            alive = alive & ~torch.isin(tokens, self._ends)
            written.append(torch.where(alive, tokens, self._pad))
            # A row's own tokens are seen by its later ones; what a finished row is fed is hidden.
            mask = torch.cat([mask, alive[:, None].long()], dim=1)
            alive = alive & (n < budget)
            if n % LOOK_EVERY == 0 or self._device.type == "cpu":
                if leads:
                    alive = alive & ~self._shows_lead(written, leads)
                if not bool(alive.any()):
                    break
            if n < most:
                logits = steps.run(written[-1][:, None], mask)
        yield from self._finish(requests, [len(p) for p in prompts], written, steps, mask)

    def _prefill(self, prompts: list[list[int]], room: int) -> tuple[Steps, torch.Tensor, torch.Tensor]:
        """Run a padded batch of prompts; leaves room for more tokens.

        Returns:
            What goes on from there, the attention mask [B, T] and the logits after each prompt [B, vocab].
        """
        head = _common_head(prompts)
        cache = self._head_cache(head, len(prompts)) if head else DynamicCache()
        # Padding on the right, the last token aside: no real token sees a pad, so that attention needs no mask here.
        ids, seen = self._padded([p[len(head) : -1] for p in prompts], left=False)
        mask = torch.cat([torch.ones(len(prompts), len(head), dtype=torch.long, device=self._device), seen], dim=1)
        if ids.shape[1]:
            prefill(self._model, cache, ids, mask, plain=self._graphs)
        steps = self._steps_from(cache, len(prompts), mask.shape[1] + 1 + room)
        last = torch.tensor([[p[-1]] for p in prompts], device=self._device)
        mask = torch.cat([mask, torch.ones_like(last)], dim=1)
        return steps, mask, steps.run(last, mask)

    def _steps_from(self, cache: Any, rows: int, room: int) -> Steps:
        if not self._graphs:
            return EagerSteps(self._model, cache)
        room = -(-room // BUCKET) * BUCKET
        if self._steps is None or (self._steps.rows, self._steps.room) != (rows, room):
            self._steps = None  # its memory is free before the next one's is taken
            self._steps = GraphSteps(self._model, rows, room)
        self._steps.begin(cache)
        return self._steps

    def _head_cache(self, head: list[int], rows: int) -> Any:
        """A fresh cache that holds the head once for every row."""
        if self._head[0] != head:
            cache = DynamicCache()
            ids = torch.tensor([head], device=self._device)
            prefill(self._model, cache, ids, torch.ones_like(ids), plain=self._graphs)
            self._head = (head, [(layer.keys, layer.values) for layer in cache.layers])
        cache = DynamicCache()
        for i, (keys, values) in enumerate(self._head[1]):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), i)
        return cache

    def _shows_lead(self, written: list[torch.Tensor], leads: set[str]) -> torch.Tensor:
        """Which rows [B] have a lead among their last tokens."""
        tail = torch.stack(written[-3 * LOOK_EVERY :], dim=1).tolist()
        texts = self._tokenizer.batch_decode(tail, skip_special_tokens=True)
        return torch.tensor([any(lead in text for lead in leads) for text in texts], device=self._device)

    def _finish(
        self,
        requests: list[Request],
        lengths: list[int],
        written: list[torch.Tensor],
        steps: Steps,
        mask: torch.Tensor,
    ) -> Iterator[Generation]:
        decode = lambda ids: self._tokenizer.decode(ids, skip_special_tokens=True)
        rows = _rows_of(written, mask, len(requests))
        free = [
            cut_before_lead(ids, decode, r.choices.lead) if r.choices else (ids, decode(ids).strip())
            for r, ids in zip(requests, rows, strict=True)
        ]
        distributions = self._choose(requests, [len(ids) for ids, _ in free], written, steps, mask)
        for i, (request, (_, text)) in enumerate(zip(requests, free, strict=True)):
            usage = Usage(lengths[i], len(rows[i]))
            if request.choices is None:
                yield Generation(request.key, text=text, usage=usage)
            else:
                scores = dict(zip(request.choices.names, distributions[i], strict=True))
                yield Generation(request.key, text=text, choice=max(scores, key=scores.get), scores=scores, usage=usage)

    def _choose(
        self, requests: list[Request], kept: list[int], written: list[torch.Tensor], steps: Steps, mask: torch.Tensor
    ) -> list[list[float]]:
        """Probabilities of each request's choices after the first `kept` tokens it wrote; [] without choices.

        The cache of the decoding goes on: what was written past the free part is hidden, then come the lead and the
        branches of the trie.
        """
        out: list[list[float]] = [[] for _ in requests]
        mask = _hide_rest(mask, len(written), kept)
        # The last token was picked but never run.
        fed, last = (mask[:, :-1], mask[:, -1].tolist()) if written else (mask, [0] * len(requests))
        unfed = written[-1].tolist() if written else []
        for choices in dict.fromkeys(r.choices for r in requests if r.choices):
            after_text, at_start, trie = self._trie(choices)
            leads = [
                ([unfed[i]] if last[i] else []) + (after_text if kept[i] else at_start) for i in range(len(requests))
            ]
            block, seen = self._padded(leads, left=True)
            here = torch.cat([fed, seen], dim=1)
            # A copy: the next step may write its logits to the same place.
            values = {(): steps.run(block, here).clone()}
            for path in trie.branches:
                if path:
                    tokens = torch.tensor([path], device=self._device).expand(len(requests), -1)
                    values[path] = steps.run(tokens, torch.cat([here, torch.ones_like(tokens)], dim=1)).clone()
                    steps.rewind(len(path))
            steps.rewind(block.shape[1])
            picked = {path: values[path][:, allowed].tolist() for path, allowed in trie.branches.items()}
            for i, request in enumerate(requests):
                if request.choices == choices:
                    branches = trie.branches.items()
                    out[i] = trie.probabilities({p: dict(zip(t, picked[p][i], strict=True)) for p, t in branches})
        return out

    def _padded(self, rows: list[list[int]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids [B, T] and the mask of their real places."""
        width = max(map(len, rows))
        ids, seen = np.full((len(rows), width), self._pad), np.zeros((len(rows), width), np.int64)
        for i, row in enumerate(rows):
            place = slice(width - len(row), width) if left else slice(len(row))
            ids[i, place], seen[i, place] = row, 1
        return torch.from_numpy(ids).to(self._device), torch.from_numpy(seen).to(self._device)

    def _trie(self, choices: Choices) -> tuple[list[int], list[int], ChoiceTrie]:
        if choices not in self._tries:
            ids = lambda text: self._tokenizer(text, add_special_tokens=False)["input_ids"]
            trie = ChoiceTrie([ids(f" {name}") for name in choices.names], end=int(self._ends[-1]))
            self._tries[choices] = (ids(f" {choices.lead}"), ids(choices.lead), trie)
        return self._tries[choices]

    def _score_batch(self, prompt: list[int], ends: list[list[int]]) -> list[float]:
        width = max(map(len, ends))
        rows = torch.tensor([e + [self._pad] * (width - len(e)) for e in ends], device=self._device)
        cache = self._head_cache(prompt[:-1], len(ends))
        mask = torch.ones(len(ends), len(prompt) + width, dtype=torch.long, device=self._device)
        first = torch.full((len(ends), 1), prompt[-1], device=self._device)
        inputs = torch.cat([first, rows[:, :-1]], dim=1)
        out = self._model(
            input_ids=inputs, attention_mask=mask[:, :-1], use_cache=True, **{cache_argument(self._model): cache}
        )
        log_p = out.logits.float().log_softmax(-1).gather(-1, rows[..., None])[..., 0]
        return [float(log_p[i, : len(e)].sum()) for i, e in enumerate(ends)]


def _rows_of(written: list[torch.Tensor], mask: torch.Tensor, rows: int) -> list[list[int]]:
    """The tokens that each row wrote before it ended."""
    if not written:
        return [[] for _ in range(rows)]
    tokens, seen = torch.stack(written, dim=1).tolist(), mask[:, -len(written) :].tolist()
    return [[t for t, s in zip(row, keep, strict=True) if s] for row, keep in zip(tokens, seen, strict=True)]


def _hide_rest(mask: torch.Tensor, steps: int, kept: list[int]) -> torch.Tensor:
    """The mask with everything hidden that a row wrote after its first `kept` tokens."""
    if not steps:
        return mask
    written = mask[:, -steps:]
    count = written.cumsum(-1)
    limit = torch.tensor(kept, device=mask.device)[:, None]
    return torch.cat([mask[:, :-steps], written * (count <= limit)], dim=1)


def _common_head(prompts: list[list[int]]) -> list[int]:
    """What all prompts begin with, one token short of the shortest, or nothing if that isn't worth it."""
    low, high = min(prompts), max(prompts)
    most = min(len(p) for p in prompts) - 1
    n = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), most)
    n = min(n, most)
    return low[:n] if n >= SHORTEST_HEAD else []
