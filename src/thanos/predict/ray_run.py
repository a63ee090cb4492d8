"""`thanos predict --ray`: the same predictions, shard by shard, over a Ray cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from thanos.distributed import RayReport, Shard, find_shards, read_shard, run_on_ray
from thanos.longrun import Journal, Stop
from thanos.predict.predictor import Thanos
from thanos.predict.row import output_row
from thanos.predict.run import Tally, run_file, run_settings


@dataclass(frozen=True)
class PredictShard:
    """The work on one shard; see `thanos.distributed.ShardWork`."""

    options: tuple[tuple[str, Any], ...]
    """Arguments of `Thanos`."""

    def __call__(self, shard: Shard, journal_path: Path) -> dict[str, int]:
        """Predict the rows that the journal doesn't hold.

        Raises:
            EngineError: if the model can't be loaded or reached.
        """
        thanos, tally = _thanos(self.options), Tally()
        with Journal(journal_path, run_settings(thanos)) as journal:
            run_file(thanos.stream, output_row, read_shard(shard), journal, Stop(), lambda: None, tally)
        return {"predicted": tally.done, "invalid": tally.invalid}


def predict_on_ray(
    source: str, output: Path, options: dict[str, Any], advance: Callable[[], None], shards: list[Shard] | None = None
) -> RayReport:
    """Predict for a JSONL or Parquet file, or a folder of such shards, into a folder of parts.

    Args:
        options: Arguments of `Thanos`, the model among them. Each process of the cluster loads it once.
        advance: Called for each finished shard.
        shards: What `find_shards` made of the source, if that is known already.

    Raises:
        ThanosError: as `thanos.distributed.run_on_ray`.
    """
    shards = find_shards(source) if shards is None else shards
    return run_on_ray(shards, PredictShard(tuple(options.items())), output, advance)


@cache
def _thanos(options: tuple[tuple[str, Any], ...]) -> Thanos:
    """One model a process, however many shards it gets."""
    return Thanos(**dict(options))
