"""What ThanosBench costs beside the model: 10,000 rows with an instant model, against inspect_ai alone on the same samples.

pip install '.[bench]' && python benchmarks/bench_overhead.py [--rows 10000]

Both sides run the same prompts with the same model (a constant answer, no waiting) in this process, one after the other.
inspect alone: its generate() and match(), and its log. ThanosBench: everything that `thanos bench skill` does, from
reading the annotated rows over prompts, budget check, run, rows, metrics with intervals to metrics.json.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate

from thanos.bench.data import find_data
from thanos.bench.run import run_task
from thanos.bench.setup import make_setup
from thanos.bench.tasks.registry import find_task

EXAMPLES = Path(__file__).parent.parent / "examples" / "original.jsonl"
ANSWER = "She has waited long for this, so I want to hear it all. [RESULT SKILL] Active Listening"
MOST = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = write_rows(Path(folder) / "rows.jsonl", args.rows)
        setup = make_setup("inspect/mockllm/model", find_data(None, annotated=rows))
        alone = timed("inspect_ai alone", args.rows, lambda: inspect_alone(setup, Path(folder)))
        ours = timed("ThanosBench", args.rows, lambda: thanos_bench(setup, Path(folder)))
    wall, cpu = (o / a for o, a in zip(ours, alone, strict=True))
    print(f"ratio {wall:.2f} (processor time {cpu:.2f}; at most {MOST:g}) over {args.rows:,} rows")
    if wall > MOST:
        raise SystemExit(1)


def write_rows(path: Path, n: int) -> Path:
    """The examples over and over, each time as other dialogues."""
    examples = [json.loads(line) for line in EXAMPLES.open(encoding="utf-8")]
    with path.open("w", encoding="utf-8") as file:
        for i in range(n):
            row = examples[i % len(examples)]
            file.write(json.dumps(row | {"id": f"original:{i}:4"}, ensure_ascii=False) + "\n")
    return path


def inspect_alone(setup, folder: Path) -> None:
    task = find_task("skill")
    samples = task.samples(task.items(setup.data), setup)
    bare = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=match(), name="bare")
    options = {"display": "none", "log_realtime": False, "log_images": False, "score_display": False}
    [log] = eval(bare, model=instant_model(), log_dir=str(folder / "bare"), **options)
    assert log.status == "success", log.error


def thanos_bench(setup, folder: Path) -> None:
    bar = lambda label, total: nullcontext(lambda: None)
    result = run_task(find_task("skill"), instant_model(), "instant", setup, folder, bar=bar)
    assert result.metrics["failed"] == result.metrics["invalid"] == 0


def instant_model():
    def answer(*_) -> ModelOutput:
        output = ModelOutput.from_content("instant", ANSWER)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


def timed(label: str, rows: int, work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, seconds of processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{label:16} {wall:7.1f} s, {1000 * wall / rows:6.2f} ms a row; processor {cpu:7.1f} s", flush=True)
    return wall, cpu


if __name__ == "__main__":
    main()
