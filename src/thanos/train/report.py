"""What people see of a run while it lasts: a bar on a terminal, and a line for each evaluation."""

import sys
from contextlib import ExitStack
from typing import Any

from transformers import TrainerCallback

from thanos.longrun import progress_bar
from thanos.train.accuracy import METRIC


class RunReport(TrainerCallback):
    """Writes to standard error, in the main process only. Use it as a context manager, so that the bar ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._advance = lambda: None
        self._loss = ""

    def __enter__(self) -> "RunReport":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the bar where an earlier run stopped."""
        if state.is_world_process_zero:
            self._advance = self._stack.enter_context(progress_bar("train", state.max_steps, state.global_step))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        self._advance()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Remember losses; tell them with the accuracy, which comes last."""
        if "loss" in logs:
            self._loss = f"loss {logs['loss']:.4f}"
        if "eval_loss" in logs:
            self._loss += f", validation loss {logs['eval_loss']:.4f}"
        if METRIC in logs and state.is_world_process_zero:
            accuracies = f"skill accuracy {logs[METRIC]:.1%}, with second skills {logs['eval_also_accuracy']:.1%}"
            print(f"thanos: step {state.global_step} of {state.max_steps}: {self._loss}, {accuracies}", file=sys.stderr)
