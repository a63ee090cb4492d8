"""What a training run may be told: one dataclass is the YAML file, the command line and its help."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from thanos.errors import ThanosError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True))
class TrainConfig:
    """One training run. Only `base` and the two files of rows are needed."""

    base: str
    """Model to tune: hub id, folder, GGUF file, or `embedded` for the base that comes with the package."""
    train: Path
    """Annotated rows to learn from, JSONL."""
    validation: Path
    """Annotated rows by which the best checkpoint is chosen, JSONL."""
    output: Path
    """Folder for checkpoints and, at the end, the best one with its card and curves; if not said, outputs/CONFIG."""

    method: Literal["sft", "dpo"] = "sft"
    """sft: learn to write the rows' thoughts. dpo: learn to prefer them to the rows' `rejected` ones."""
    tune: Literal["lora", "qlora", "full"] = "lora"
    """lora: low-rank additions to all linear layers. qlora: the same on a base in 4 bits. full: every weight."""
    adapter: str | None = None
    """lora, qlora: go on from this adapter (of the same base), e.g. dpo after sft."""
    rank: Count = 256
    """Rank of the additions (the paper's)."""
    alpha: Positive = 256
    """They count alpha / rank times (the paper's)."""
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Dropout before the additions. The paper has 0.05; the fast step needs 0."""

    prompt: str = "thanos"
    """thanos, zero-shot or a YAML file; predict with the same."""
    also_share: Share = 0.2
    """A row's second fitting skill (`also`) is a target of its own with this share of the row's weight; 0: none."""
    max_tokens: Annotated[int, Field(ge=16)] = 2048
    """Longest prompt and answer together; of a longer dialogue the oldest turns are left out."""

    epochs: Positive = 3
    """Passes over the rows (the paper's)."""
    max_steps: Count | None = None
    """Stop after so many steps, whatever `epochs` says."""
    batch: Count = 64
    """Targets (dpo: pairs) of one optimizer step, over all GPUs together (the paper's)."""
    rows_at_once: Count = 8
    """Targets on one GPU at a time; lower it when memory runs out: results stay the same."""
    lr: Positive = 1e-4
    """Highest learning rate of AdamW; it falls along a cosine."""
    warmup: Share = 0.03
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW's."""
    beta: Positive = 0.1
    """dpo: how strongly to stay with the model that it began with."""
    checkpointing: bool = False
    """Compute activations again in the backward pass: a third slower, in a fraction of the memory."""
    seed: int = 0
    """Seeds the additions, the order of rows and the choice of validation rows."""

    eval_every: Count = 100
    """Steps between evaluations; each ends in a checkpoint."""
    eval_rows: Annotated[int, Field(ge=0)] = 200
    """Validation rows that are scored; 0: all."""
    keep: Count = 2
    """Newest checkpoints kept, beside the best one."""
    log_to: list[Literal["tensorboard", "trackio"]] = Field(default_factory=list)
    """Where curves go besides curves.png: tensorboard or trackio, with a comma for both."""

    gpus: Count = 1
    """GPUs of this machine."""
    fsdp: bool = False
    """Spread the weights over the GPUs, for models that don't fit on one; else each GPU has a copy."""

    def __post_init__(self) -> None:
        at_once = self.gpus * self.rows_at_once
        if self.batch % at_once:
            raise ThanosError(
                f"batch {self.batch} isn't a multiple of rows_at_once times gpus ({self.rows_at_once} x {self.gpus})"
            )
        if self.fsdp and self.tune == "qlora":
            raise ThanosError("fsdp goes with tune lora or full, not with qlora")
        if self.fsdp and self.gpus == 1:
            raise ThanosError("fsdp spreads weights over several GPUs: raise gpus, or leave fsdp out")
        if self.adapter and self.tune == "full":
            raise ThanosError("adapter goes with tune lora or qlora: full tuning has no adapter")

    @property
    def accumulate(self) -> int:
        """Backward passes for one optimizer step."""
        return self.batch // (self.rows_at_once * self.gpus)
