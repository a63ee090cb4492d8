"""hf/<id or folder or file.gguf>: transformers, on a GPU in bfloat16 or on the CPU in float32.

Requests are sorted by length within a window and decoded in batches, padded on the left. What all prompts of a batch
begin with (the system message and the task description) is computed once and its keys and values reused.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from thanos.engines.chat_tokens import encode_chat
from thanos.engines.choice_trie import ChoiceTrie
from thanos.engines.free_part import cut_before_lead
from thanos.engines.protocol import Choices, Generation, Request, Usage
from thanos.engines.sampling import pick_tokens
from thanos.errors import EngineError
from thanos.prompts import Message

GPU_BATCH, CPU_BATCH = 256, 8
WINDOW = 8
"""Batches that are sorted by length together: enough to make lengths alike, few enough to hold in hand."""
SHORTEST_HEAD = 16
"""Common beginnings shorter than this aren't worth a pass of their own."""
MARK_EVERY = 8
"""Decoding steps between looks at the text for the lead: looking costs more than a few spare steps."""


class TransformersEngine:
    """Weights in this process, through transformers."""

    def __init__(self, model: str, adapter: str | None = None, batch_size: int | None = None):
        """Load tokenizer, weights and, if given, a PEFT adapter.

        Args:
            model: Hub id, folder, or a GGUF file (which is dequantised).
            adapter: Hub id or folder of a PEFT adapter; merged into the weights.
            batch_size: Rows decoded together; by default 256 on a GPU, 8 on a CPU.

        Raises:
            EngineError: if there is no such model or adapter, or it doesn't load.
        """
        self.name = f"hf/{model}" + (f"+{adapter}" if adapter else "")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer, self._model = _load(model, adapter, self._device)
        self._batch = batch_size or (GPU_BATCH if self._device.type == "cuda" else CPU_BATCH)
        self.context_window = getattr(self._model.config, "max_position_embeddings", None)
        end = self._model.generation_config.eos_token_id
        ends = end if isinstance(end, list) else [end]
        self._ends = torch.tensor(
            [e for e in (*ends, self._tokenizer.eos_token_id) if e is not None], device=self._device
        )
        self._pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else int(self._ends[0])
        self._head: tuple[list[int], Any] = ([], None)
        self._tries: dict[Choices, tuple[list[int], list[int], ChoiceTrie]] = {}

    def count_tokens(self, messages: list[Message]) -> int:
        """Exact number of tokens, chat template included."""
        return len(encode_chat(self._tokenizer, messages))

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Decode in batches; results come a batch at a time, longest prompts of a window first."""
        for batch in self._batches((r, encode_chat(self._tokenizer, r.messages)) for r in requests):
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
        self._model, self._head = None, ([], None)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _batches(self, items: Iterable[tuple[Request, list[int]]]) -> Iterator[list[tuple[Request, list[int]]]]:
        items = iter(items)
        while window := list(islice(items, self._batch * WINDOW)):
            window.sort(key=lambda item: (item[0].max_tokens == 0, -len(item[1])))
            for start in range(0, len(window), self._batch):
                yield window[start : start + self._batch]

    @torch.inference_mode()
    def _decode(self, requests: list[Request], prompts: list[list[int]]) -> Iterator[Generation]:
        cache, mask, logits = self._prefill(prompts)
        leads = {r.choices.lead for r in requests if r.choices}
        generators = [torch.Generator(self._device).manual_seed(r.seed) for r in requests]
        budget = torch.tensor([r.max_tokens for r in requests], device=self._device)
        steps: list[torch.Tensor] = []
        alive = budget > 0
        while bool(alive.any()):
            tokens = pick_tokens(logits, requests, generators)
            tokens = torch.where(alive, tokens, self._pad)
            alive = alive & ~torch.isin(tokens, self._ends)
            steps.append(torch.where(alive, tokens, self._pad))
            # A row's own tokens are seen by its later ones; what a finished row is fed is hidden.
            mask = torch.cat([mask, alive[:, None].long()], dim=1)
            alive = alive & (len(steps) < budget)
            if leads and len(steps) % MARK_EVERY == 0:
                alive = alive & ~self._shows_lead(steps, mask, leads)
            if not bool(alive.any()):
                break
            logits = self._step(steps[-1][:, None], cache, mask)[:, -1]
        yield from self._finish(requests, [len(p) for p in prompts], steps, cache, mask)

    def _prefill(self, prompts: list[list[int]]) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """The cache of a padded batch, its attention mask [B, T] and the logits after each prompt [B, vocab]."""
        head = _common_head(prompts)
        cache = self._head_cache(head, len(prompts)) if head else DynamicCache()
        ids, seen = self._left_padded([p[len(head) :] for p in prompts])
        mask = torch.cat([torch.ones_like(seen[:, :1]).expand(-1, len(head)), seen], dim=1)
        return cache, mask, self._step(ids, cache, mask)[:, -1]

    def _head_cache(self, head: list[int], rows: int) -> Any:
        """A fresh cache that holds the head once for every row."""
        if self._head[0] != head:
            cache = DynamicCache()
            self._step(torch.tensor([head], device=self._device), cache, torch.ones(1, len(head), device=self._device))
            self._head = (head, [(layer.keys, layer.values) for layer in cache.layers])
        cache = DynamicCache()
        for i, (keys, values) in enumerate(self._head[1]):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), i)
        return cache

    def _step(self, tokens: torch.Tensor, cache: Any, mask: torch.Tensor) -> torch.Tensor:
        """Run tokens [B, t] after the cache; returns the logits of the last one [B, 1, vocab] in float32."""
        positions = (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self._model(
            input_ids=tokens,
            attention_mask=mask.long(),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits.float()

    def _shows_lead(self, steps: list[torch.Tensor], mask: torch.Tensor, leads: set[str]) -> torch.Tensor:
        tail = torch.stack(steps[-3 * MARK_EVERY :], dim=1).tolist()
        texts = self._tokenizer.batch_decode(tail, skip_special_tokens=True)
        return torch.tensor([any(lead in text for lead in leads) for text in texts], device=self._device)

    def _finish(
        self, requests: list[Request], lengths: list[int], steps: list[torch.Tensor], cache: Any, mask: torch.Tensor
    ) -> Iterator[Generation]:
        decode = lambda ids: self._tokenizer.decode(ids, skip_special_tokens=True)
        written = _written(steps, mask, len(requests))
        free = [
            cut_before_lead(ids, decode, r.choices.lead) if r.choices else (ids, decode(ids).strip())
            for r, ids in zip(requests, written, strict=True)
        ]
        distributions = self._choose(requests, [len(ids) for ids, _ in free], steps, cache, mask)
        for i, (request, (_, text)) in enumerate(zip(requests, free, strict=True)):
            usage = Usage(lengths[i], len(written[i]))
            if request.choices is None:
                yield Generation(request.key, text=text, usage=usage)
            else:
                scores = dict(zip(request.choices.names, distributions[i], strict=True))
                yield Generation(request.key, text=text, choice=max(scores, key=scores.get), scores=scores, usage=usage)

    def _choose(
        self, requests: list[Request], kept: list[int], steps: list[torch.Tensor], cache: Any, mask: torch.Tensor
    ) -> list[list[float]]:
        """Probabilities of each request's choices after the first `kept` tokens it wrote; [] without choices.

        The cache of the decoding goes on: what was written past the free part is hidden, then come the lead and the
        branches of the trie.
        """
        out: list[list[float]] = [[] for _ in requests]
        mask = _hide_rest(mask, len(steps), kept)
        # The last step's token was picked but never run.
        fed, last = (mask[:, :-1], mask[:, -1].tolist()) if steps else (mask, [0] * len(requests))
        length = fed.shape[1]
        for choices in dict.fromkeys(r.choices for r in requests if r.choices):
            after_text, at_start, trie = self._trie(choices)
            leads = [
                ([int(steps[-1][i])] if last[i] else []) + (after_text if kept[i] else at_start)
                for i in range(len(requests))
            ]
            block, seen = self._left_padded(leads)
            here = torch.cat([fed, seen], dim=1)
            values = {(): self._step(block, cache, here)[:, -1]}
            for path in trie.branches:
                if path:
                    tokens = torch.tensor([path], device=self._device).expand(len(requests), -1)
                    values[path] = self._step(tokens, cache, torch.cat([here, torch.ones_like(tokens)], dim=1))[:, -1]
                    cache.crop(here.shape[1])
            cache.crop(length)
            picked = {path: values[path][:, allowed].tolist() for path, allowed in trie.branches.items()}
            for i, request in enumerate(requests):
                if request.choices == choices:
                    branches = trie.branches.items()
                    out[i] = trie.probabilities({p: dict(zip(t, picked[p][i], strict=True)) for p, t in branches})
        return out

    def _left_padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids [B, T] and the mask of their real places."""
        width = max(map(len, rows))
        ids = [[self._pad] * (width - len(row)) + row for row in rows]
        seen = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        return torch.tensor(ids, device=self._device), torch.tensor(seen, device=self._device)

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
        out = self._model(input_ids=inputs, attention_mask=mask[:, :-1], past_key_values=cache, use_cache=True)
        log_p = out.logits.float().log_softmax(-1).gather(-1, rows[..., None])[..., 0]
        return [float(log_p[i, : len(e)].sum()) for i, e in enumerate(ends)]


def _written(steps: list[torch.Tensor], mask: torch.Tensor, rows: int) -> list[list[int]]:
    """The tokens that each row wrote before it ended."""
    if not steps:
        return [[] for _ in range(rows)]
    tokens, seen = torch.stack(steps, dim=1).tolist(), mask[:, -len(steps) :].tolist()
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


def _load(model: str, adapter: str | None, device: torch.device) -> tuple[Any, Any]:
    path = Path(model)
    where: dict[str, Any] = {"pretrained_model_name_or_path": model}
    if path.suffix == ".gguf":
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        weights = AutoModelForCausalLM.from_pretrained(**where, dtype=dtype, attn_implementation="sdpa")
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EngineError(f"can't load hf/{model}: {_first_line(error)}") from None
    if adapter:
        weights = _with_adapter(weights, adapter)
    return tokenizer, weights.to(device).eval()


def _with_adapter(weights: Any, adapter: str) -> Any:
    try:
        from peft import PeftModel

        return PeftModel.from_pretrained(weights, adapter).merge_and_unload()
    except ModuleNotFoundError:
        raise EngineError("an adapter needs peft: pip install 'thanos-skill-of-mind[hf]'") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineError(f"can't load the adapter {adapter}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
