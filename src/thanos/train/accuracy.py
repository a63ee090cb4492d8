"""Skill accuracy on validation rows, as `thanos predict` would reach it: think, then choose."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import TrainerCallback

from thanos.engines.hf import TransformersEngine
from thanos.predict.answer import read_generation
from thanos.predict.request import (
    CHOICE_TOKENS,
    EXPLANATION_TOKENS,
    PredictionOptions,
    fit_dialogue,
    requests_for,
)
from thanos.prompts import Prompt
from thanos.train.rows import TrainingRow

METRIC = "eval_skill_accuracy"
SELECTION = "eval_selection"
"""What the best checkpoint is chosen by: skill accuracy; of equal ones, the lower validation loss."""
LOSS_SHARE = 1e-6
"""Too small for a difference of losses to outweigh one row."""


class SkillAccuracy(TrainerCallback):
    """Adds skill accuracy to every evaluation, so that the best checkpoint can be chosen by it.

    Greedy explanations, then the most probable of the 39 skills. `eval_skill_accuracy` counts the row's own skill,
    `eval_also_accuracy` any that fits.
    """

    def __init__(
        self,
        rows: Sequence[TrainingRow],
        prompt: Prompt,
        tokenizer: Any,
        max_tokens: int,
        log: Callable[[dict[str, float]], None],
        sharded: bool = False,
    ):
        """Keep the rows to predict for.

        Args:
            max_tokens: As in training.
            log: The trainer's, for curves.
            sharded: Weights are spread over GPUs, which must then all compute the same at the same time.
        """
        self._rows, self._prompt, self._tokenizer = rows, prompt, tokenizer
        self._max_tokens, self._log, self._sharded = max_tokens, log, sharded

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any, **_: Any) -> None:
        """Predict, count, and add to `metrics`."""
        split = args.world_size > 1 and not self._sharded
        rows = self._rows[args.process_index :: args.world_size] if split else self._rows
        # Sharded weights must be entered by the outermost module; packed training has another forward there.
        inner = model.get_base_model() if hasattr(model, "get_base_model") and not self._sharded else model
        counts = torch.tensor(self._count(rows, inner), device=args.device)
        if split:
            torch.distributed.all_reduce(counts)
        own, any_fitting, n = counts.tolist()
        scores = {METRIC: own / n, "eval_also_accuracy": any_fitting / n}
        metrics |= scores | {SELECTION: scores[METRIC] - LOSS_SHARE * metrics["eval_loss"]}
        self._log(dict(scores))

    def _count(self, rows: Sequence[TrainingRow], model: Any) -> list[int]:
        """[rows whose own skill was predicted, rows any of whose fitting skills was, rows]."""
        engine = TransformersEngine.around("the model in training", self._tokenizer, model)
        # Prompts are cut where they are in training; the answer has its own room.
        room = self._max_tokens + EXPLANATION_TOKENS + CHOICE_TOKENS
        engine.context_window = min(room, engine.context_window or room)
        options, own, any_fitting = PredictionOptions(), 0, 0

        def requests():
            for i, row in enumerate(rows):
                yield from requests_for(i, fit_dialogue(row.dialogue, self._prompt, engine, options), options)

        for generation in engine.generate(requests()):
            skill = read_generation(generation, options).skill
            fitting = rows[generation.key[0]].fitting
            own += skill == fitting[0]
            any_fitting += skill in fitting
        return [own, any_fitting, len(rows)]
