"""A training run: prepare everything that needs no GPU, then fit, here or in one process for each GPU."""

import json
import random
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError
from thanos.prompts import load_prompt
from thanos.train.card import Counts
from thanos.train.checkpoints import claim_output
from thanos.train.config import TrainConfig
from thanos.train.dataset import write_dataset
from thanos.train.encode import Encoder
from thanos.train.model import check_adapter, training_tokenizer
from thanos.train.rows import TrainingRow, training_rows

TOKENS = "tokens"
"""Folder of the encoded rows, in the output folder."""


def train(config: TrainConfig) -> None:
    """Train, or go on where an earlier run with this output stopped.

    Raises:
        ThanosError: for whatever the user can mend.
    """
    from thanos.train.launch import check_gpus, fit_on_gpus

    check_gpus(config)
    check_adapter(config)
    claim_output(config)
    tokenizer = training_tokenizer(config.base)
    prepare(config, tokenizer)
    if config.gpus > 1:
        fit_on_gpus(config)
    else:
        from thanos.train.fit import fit

        fit(config, tokenizer)


def prepare(config: TrainConfig, tokenizer: Any) -> Counts:
    """Encode the rows into the output folder."""
    encoder = Encoder(tokenizer, load_prompt(config.prompt), config.max_tokens)
    folder = config.output / TOKENS
    counts = _encode(config, encoder, training_rows(config.train, config.also_share), config.train, folder / "train")
    _encode(config, encoder, validation_sample(config), config.validation, folder / "validation")
    (folder / "counts.json").write_text(json.dumps(asdict(counts)))
    return counts


def read_counts(config: TrainConfig) -> Counts:
    """What `prepare` counted."""
    return Counts(**json.loads((config.output / TOKENS / "counts.json").read_text()))


def validation_sample(config: TrainConfig) -> list[TrainingRow]:
    """The validation rows that are scored, in the order of the file."""
    rows = list(training_rows(config.validation, config.also_share))
    if config.method == "dpo":
        rows = [row for row in rows if row.rejected]
    if not config.eval_rows or len(rows) <= config.eval_rows:
        return rows
    chosen = random.Random(config.seed).sample(range(len(rows)), config.eval_rows)
    return [rows[i] for i in sorted(chosen)]


def _encode(config: TrainConfig, encoder: Encoder, rows: Any, source: Path, path: Path) -> Counts:
    seen = {"rows": 0, "rejected": 0}

    def counted():
        for row in rows:
            seen["rows"] += 1
            seen["rejected"] += row.rejected is not None
            yield row

    try:
        if config.method == "dpo":
            encoded = ((p.prompt, p.chosen, p.rejected) for _, p in encoder.pairs(counted()))
        else:
            examples = chain.from_iterable(examples for _, examples in encoder.examples(counted()))
            encoded = ((e.prompt, e.completion, e.weight) for e in examples)
        count = write_dataset(path.with_suffix(".arrow"), config.method, encoded)
    except ThanosError as error:
        raise ThanosError(str(error) if str(source) in str(error) else f"{source}: {error}") from None
    if not count:
        raise ThanosError(f"{source}: no row has a `rejected` thought, which dpo learns from")
    return Counts(seen["rows"], count, seen["rows"] - seen["rejected"] if config.method == "dpo" else 0)
