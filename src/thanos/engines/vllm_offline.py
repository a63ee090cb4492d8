"""vllm/<id or folder>: vLLM in this process, with prefix caching and constrained choices."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from vllm import LLM, SamplingParams, TokensPrompt
from vllm.lora.request import LoRARequest

from thanos.engines.chat_tokens import encode_chat, encode_chats
from thanos.engines.choice_trie import ChoiceTrie, Path
from thanos.engines.free_part import cut_before_lead
from thanos.engines.protocol import Choices, Generation, Request, Usage
from thanos.errors import EngineError
from thanos.prompts import Message

WINDOW = 2048
"""Requests handed to vLLM at a time: enough to keep its scheduler full, few enough to hold in hand."""
MOST_ROWS = 1024
"""Rows decoded together; CUDA graphs are recorded for as many."""
BLOCK = 64
"""Tokens in a block of the cache: vLLM's bookkeeping is by block, and so is what prompts can share."""
MOST_CHOICES = 64
"""Most tokens allowed at one branch of a closed set."""
LEAST_REACHED = 1e-3
"""Names that begin alike and together are less probable than this share it evenly, which spares most of the work."""
NEVER = -1e9
"""Log-probability of a token that vLLM leaves out of its answer."""
HIGHEST_RANK = 256
"""Largest adapter rank served; the published adapters have it."""


class VllmEngine:
    """vLLM's offline engine. Prompts that begin alike share their cache; choices are constrained token by token."""

    def __init__(self, model: str, adapter: str | None = None):
        """Load the model on the GPU.

        Raises:
            EngineError: if the model can't be loaded.
        """
        self.name = f"vllm/{model}" + (f"+{adapter}" if adapter else "")
        lora = {"enable_lora": True, "max_lora_rank": HIGHEST_RANK} if adapter else {}
        try:
            self._llm = LLM(
                model=model,
                enable_prefix_caching=True,
                max_logprobs=MOST_CHOICES,
                max_num_seqs=MOST_ROWS,
                block_size=BLOCK,
                compilation_config={"max_cudagraph_capture_size": MOST_ROWS},
                # Log-probabilities after the mask of allowed tokens: exactly the distribution over the choices.
                logprobs_mode="processed_logprobs",
                seed=0,
                **lora,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineError(f"can't load vllm/{model}: {str(error).strip().splitlines()[0]}") from None
        self._lora = LoRARequest("adapter", 1, adapter) if adapter else None
        self._tokenizer = self._llm.get_tokenizer()
        self.context_window = self._llm.llm_engine.model_config.max_model_len
        self._tries: dict[Choices, ChoiceTrie] = {}

    def count_tokens(self, messages: list[Message]) -> int:
        """Exact number of tokens, chat template included."""
        return len(encode_chat(self._tokenizer, messages))

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Generate the free parts of a window of requests, then weigh their choices on the cached prefixes."""
        requests = iter(requests)
        while window := list(islice(requests, WINDOW)):
            prompts = encode_chats(self._tokenizer, [r.messages for r in window])
            free = self._free_parts(window, prompts)
            scores = self._choose(window, prompts, [ids for ids, _, _ in free])
            for request, prompt, (_, text, n), p in zip(window, prompts, free, scores, strict=True):
                choice = max(p, key=p.get) if p else None
                yield Generation(request.key, text=text, choice=choice, scores=p, usage=Usage(len(prompt), n))

    def score(
        self, requests: Iterable[Request], continuations: Iterable[Sequence[str]]
    ) -> Iterator[tuple[Any, list[float]]]:
        """Log-probabilities of continuations; see `ScoringEngine`."""
        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0)
        for request, texts in zip(requests, continuations, strict=True):
            prompt = encode_chat(self._tokenizer, request.messages)
            ends = [self._ids(text) for text in texts]
            outputs = self._run([prompt + end for end in ends], params)
            yield (
                request.key,
                [
                    sum(
                        entry[token].logprob
                        for entry, token in zip(out.prompt_logprobs[len(prompt) :], end, strict=True)
                    )
                    for out, end in zip(outputs, ends, strict=True)
                ],
            )

    def close(self) -> None:
        """Free the engine."""
        del self._llm

    def _run(self, prompts: list[list[int]], params: Any) -> list[Any]:
        if not prompts:
            return []
        inputs = [TokensPrompt(prompt_token_ids=ids) for ids in prompts]
        return self._llm.generate(inputs, params, use_tqdm=False, lora_request=self._lora)

    def _free_parts(self, requests: list[Request], prompts: list[list[int]]) -> list[tuple[list[int], str, int]]:
        """For every request: ids of its free part, its text, and how many tokens were written in all."""
        rows = [i for i, r in enumerate(requests) if r.max_tokens]
        out: list[tuple[list[int], str, int]] = [([], "", 0)] * len(requests)
        params = [
            SamplingParams(
                max_tokens=requests[i].max_tokens,
                temperature=requests[i].temperature,
                top_p=requests[i].top_p,
                seed=requests[i].seed if requests[i].temperature > 0 else None,
                # The text is made here, once; a lead that the model writes itself is cut off then.
                detokenize=False,
            )
            for i in rows
        ]
        end = self._tokenizer.eos_token_id  # looked up once: a tokenizer takes its time
        decode = lambda ids: self._tokenizer.decode(ids, skip_special_tokens=True)
        for i, output in zip(rows, self._run([prompts[i] for i in rows], params), strict=True):
            written = list(output.outputs[0].token_ids)
            ids = [t for t in written if t != end]
            choices = requests[i].choices
            free, text = cut_before_lead(ids, decode, choices.lead) if choices else (ids, decode(ids).strip())
            out[i] = (free, text, len(written))
        return out

    def _choose(
        self, requests: list[Request], prompts: list[list[int]], free: list[list[int]]
    ) -> list[dict[str, float]]:
        """Probability of every choice of every request; {} without choices."""
        rows = [i for i, request in enumerate(requests) if request.choices]
        tries = {i: self._trie(requests[i].choices) for i in rows}
        values: dict[int, dict[Path, dict[int, float]]] = {i: {} for i in rows}
        # Level by level, so that branches which are hardly ever reached needn't be asked for.
        for length in sorted({len(path) for trie in tries.values() for path in trie.branches}):
            asked, inputs, params = [], [], []
            for i in rows:
                lead = self._ids(f" {requests[i].choices.lead}" if free[i] else requests[i].choices.lead)
                for path, allowed in tries[i].branches.items():
                    if len(path) != length:
                        continue
                    if tries[i].reach(path, values[i]) < LEAST_REACHED:
                        values[i][path] = dict.fromkeys(allowed, 0.0)
                        continue
                    asked.append((i, path, allowed))
                    inputs.append(prompts[i] + free[i] + lead + list(path))
                    params.append(_one_of(allowed))
            for (i, path, allowed), output in zip(asked, self._run(inputs, params), strict=True):
                found = output.outputs[0].logprobs[0]
                values[i][path] = {t: found[t].logprob if t in found else NEVER for t in allowed}
        out: list[dict[str, float]] = [{} for _ in requests]
        for i in rows:
            out[i] = dict(zip(requests[i].choices.names, tries[i].probabilities(values[i]), strict=True))
        return out

    def _trie(self, choices: Choices) -> ChoiceTrie:
        if choices not in self._tries:
            names = [self._ids(f" {name}") for name in choices.names]
            self._tries[choices] = ChoiceTrie(names, end=self._tokenizer.eos_token_id)
        return self._tries[choices]

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]


def _one_of(allowed: list[int]) -> SamplingParams:
    """One more token out of these, and the log-probability of each of them."""
    return SamplingParams(
        max_tokens=1, temperature=0.0, logprobs=len(allowed), allowed_token_ids=allowed, detokenize=False
    )
