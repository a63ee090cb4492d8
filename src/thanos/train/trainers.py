"""TRL's trainers on rows that are encoded already, the supervised one with the packed step where it fits."""

from types import MethodType
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer, SFTTrainer

from thanos.train.packed.batch import Layout
from thanos.train.packed.llama import PackedLlama, fits

LAYOUT = ("starts", "longest", "tails", "longest_tail", "keep")


class ThoughtTrainer(SFTTrainer):
    """Learns to write the completions, each as much as it weighs; prompts aren't trained."""

    def __init__(self, *args: Any, packed: bool, checkpointing: bool, **kwargs: Any):
        """See `SFTTrainer`.

        Args:
            packed: Compute losses by the packed step, which the model must fit; see `can_pack`.
            checkpointing: For the packed step; else it's among the training arguments.
        """
        super().__init__(*args, **kwargs)
        # The loss is divided by what `_get_num_items_in_batch` counts, over all backward passes and GPUs.
        self.model_accepts_loss_kwargs = self.loss_is_scaled_for_ga = True
        if packed:
            # As the model's own forward, so that whatever wraps the model for several GPUs also wraps this.
            forward = _PackedForward(PackedLlama(self.model.get_base_model(), checkpointing=checkpointing))
            self.model.forward = MethodType(lambda _, **inputs: forward(**inputs), self.model)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Weighted mean of the cross-entropies."""
        weights = inputs["weights"]
        if "keep" in inputs:
            total, own = model(**inputs), weights.sum()
        else:
            out = model(**{k: v for k, v in inputs.items() if k != "weights"}, use_cache=False, fused_lm_head=True)
            total = -(out.log_probs * weights[:, None]).sum()
            own = (out.label_mask * weights[:, None]).sum()
        if num_items_in_batch is None:
            return total / own
        # The wrapper of several GPUs averages their gradients, but the count is of all of them.
        return total * self.accelerator.num_processes / num_items_in_batch

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Tensor | None:
        if not batch_samples:
            return None
        total = sum(_trained_weight(batch) for batch in batch_samples).to(device)
        return self.accelerator.gather(total).sum() if self.args.world_size > 1 else total

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The card is written at the end, with the scores."""


class PreferenceTrainer(DPOTrainer):
    """Learns to prefer the chosen completions to the rejected ones."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The card is written at the end, with the scores."""


def can_pack(model: Any) -> bool:
    """True if the packed step computes what this model does, on a device that has its kernels."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not fits(base):
        return False
    return base.device.type != "cuda" or torch.cuda.get_device_capability(base.device) >= (8, 0)


class _PackedForward:
    def __init__(self, model: PackedLlama):
        self._model = model

    def __call__(self, **inputs: Any) -> Tensor:
        layout = Layout(**{name: inputs.pop(name) for name in LAYOUT})
        return self._model.loss(**inputs, layout=layout)


def _trained_weight(batch: dict[str, Any]) -> Tensor:
    """Sum of the weights of a batch's trained tokens."""
    if "keep" in batch:
        return batch["weights"].sum()
    return ((batch["labels"] != -100).sum(1) * batch["weights"]).sum()
