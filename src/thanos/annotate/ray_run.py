"""`thanos annotate run --ray`: the same annotation, shard by shard, over a Ray cluster."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thanos.annotate.cost import Budget, Price, SpentFile
from thanos.annotate.endpoint import Endpoint
from thanos.annotate.live import LiveRun
from thanos.annotate.run import run_settings
from thanos.distributed import RayReport, Shard, find_shards, read_shard, run_on_ray
from thanos.longrun import Journal, Stop


@dataclass(frozen=True)
class AnnotateShard:
    """The work on one shard; see `thanos.distributed.ShardWork`."""

    model: str
    base_url: str | None
    price: Price | None
    max_cost_per_row: float | None
    concurrency: int
    """Requests in flight of one process."""
    timeout: float
    retries: int

    def __call__(self, shard: Shard, journal_path: Path) -> dict[str, int]:
        """Annotate the rows that the journal doesn't hold.

        Raises:
            EngineError: if the endpoint can't be used; the block is tried again.
        """
        endpoint = Endpoint(self.model, self.base_url, self.timeout, self.concurrency)
        limit = None if self.max_cost_per_row is None else self.max_cost_per_row * shard.rows
        with Journal(journal_path, run_settings(endpoint.name)) as journal:
            budget = Budget(self.price, limit, SpentFile(journal_path).total())
            run = LiveRun(endpoint, journal, budget, Stop(), concurrency=self.concurrency, retries=self.retries)
            tally = asyncio.run(run.run(read_shard(shard)))
            if tally.out_of_money:
                _fail_rest(shard, journal, {line for line, _ in tally.errors})
        return {
            "annotated": tally.annotated,
            "tries again": tally.retried,
            "prompt_tokens": tally.usage.prompt_tokens,
            "completion_tokens": tally.usage.completion_tokens,
        }


def annotate_on_ray(
    turns: str,
    output: Path,
    model: str,
    base_url: str | None = None,
    price: Price | None = None,
    max_cost: float | None = None,
    concurrency: int = 64,
    timeout: float = 60.0,
    retries: int = 8,
    advance: Callable[[], None] = lambda: None,
    shards: list[Shard] | None = None,
) -> RayReport:
    """Annotate a JSONL or Parquet file, or a folder of such shards, into a folder of parts.

    Args:
        max_cost: US dollars for the output in all. Shards know nothing of each other while they run, so each gets its
            part by its number of rows.
        concurrency: Requests in flight of one process of the cluster.
        shards: What `find_shards` made of the input, if that is known already.

    Raises:
        ThanosError: as `thanos.distributed.run_on_ray`.
    """
    shards = find_shards(turns) if shards is None else shards
    per_row = None if max_cost is None else max_cost / sum(shard.rows for shard in shards)
    work = AnnotateShard(model, base_url, price, per_row, concurrency, timeout, retries)
    return run_on_ray(shards, work, output, advance)


def _fail_rest(shard: Shard, journal: Journal, failed: set[int]) -> None:
    """Write down the rows that weren't asked about, so that the shard doesn't count as finished."""
    for row in read_shard(shard):
        if row.dialogue and row.line not in failed and not journal.holds(row.line, row.dialogue.id):
            journal.fail(row.line, row.dialogue.id, "not asked: the shard's part of --max-cost is spent")
