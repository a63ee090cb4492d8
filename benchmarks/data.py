"""The data stages: time a row against plain JSON, and memory over a million rows.

    python benchmarks/data.py [--rows 1000000]

1. Reading rows into dialogues, rendering the prompt and writing the row again, against json.loads and json.dumps of
   the same lines, both in this run, the fastest of five times each. Goal: at most 6 times.
2. A million synthetic turns (four of each of 250,000 dialogues, some of them near-duplicates) through `thanos data
   split` and `thanos data stats`, each in a process of its own. Goal: a peak of 600 MB of memory.

Exit code 1 if a goal is missed.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from thanos.dialogue import read_rows
from thanos.prompts import load_prompt
from thanos.sources import dialogue_row

MOST_TIMES, MOST_MEGABYTES = 6.0, 600
EXAMPLES = Path(__file__).parent.parent / "examples" / "original.jsonl"


def best(work: Callable[[], None], turns: int = 5) -> float:
    """Seconds of the fastest of several times."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def against_json(folder: Path) -> float:
    lines = (EXAMPLES.read_bytes() * 10).splitlines(keepends=True)
    source = folder / "rows.jsonl"
    source.write_bytes(b"".join(lines))
    prompt = load_prompt("thanos")

    def plain() -> None:
        with source.open("rb") as rows, (folder / "plain.jsonl").open("w") as out:
            for line in rows:
                out.write(json.dumps(json.loads(line), ensure_ascii=False) + "\n")

    def ours() -> None:
        with (folder / "ours.jsonl").open("w") as out:
            for row in read_rows(str(source)):
                prompt.render(row.dialogue)
                out.write(json.dumps(dialogue_row(row.dialogue), ensure_ascii=False) + "\n")

    base, whole = best(plain), best(ours)
    print(f"json.loads + json.dumps   {1e6 * base / len(lines):6.1f} us a row")
    goal = f"{whole / base:.2f} times (goal: {MOST_TIMES:g})"
    print(f"read + render + write     {1e6 * whole / len(lines):6.1f} us a row: {goal}")
    return whole / base


def write_rows(path: Path, number: int) -> None:
    """Four turns of each dialogue; every 50th dialogue is a copy of the one before it with a word changed."""
    rng = random.Random(0)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "lly", "m")]
    skills = ("Empathy", "Ethics", "Rhetoric", "Clarification", "Negotiation", "Self-disclosure", "Echoing")
    text = lambda n: " ".join(rng.choices(words, k=n))
    turns: list[dict[str, str]] = []
    with path.open("w") as file:
        for dialogue in range(number // 4):
            if dialogue % 50:
                turns = [{"speaker": "AB"[i % 2], "text": text(12)} for i in range(10)]
            else:
                turns = [{**turn, "text": turn["text"].replace("n ", "r ", 1)} for turn in turns] or [
                    {"speaker": "A", "text": text(12)} for _ in range(10)
                ]
            for turn in (3, 5, 7, 9):
                row = {
                    "id": f"made{dialogue % 12}:{dialogue}:{turn}",
                    "source": f"made{dialogue % 12}",
                    "social_context": "A and B share a flat.",
                    "dialogue": turns[:turn],
                    "response": turns[turn],
                    "speaker": turns[turn]["speaker"],
                    "skill": rng.choice(skills),
                    "also": None,
                    "explanation": f"I think that {text(30)}.",
                }
                file.write(json.dumps(row) + "\n")


def measured(label: str, rows: int, *arguments: str) -> float:
    """Run a command; print and return its peak memory in MB."""
    start = time.perf_counter()
    # A small process in between: RUSAGE_CHILDREN keeps the largest of all children.
    probe = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    probe += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    command = [sys.executable, "-c", probe, sys.executable, "-m", "thanos", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = time.perf_counter() - start, int(done.stdout.split()[-1]) / 1024
    print(f"{label:<25} {peak:6.0f} MB at most (goal: {MOST_MEGABYTES}), {seconds:.0f} s, {rows / seconds:,.0f} rows/s")
    return peak


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = against_json(folder)
        source = folder / "made.jsonl"
        write_rows(source, rows)
        print(f"{rows:,} synthetic turns, {source.stat().st_size / 1e9:.2f} GB", flush=True)
        peaks = [
            measured("thanos data split", rows, "data", "split", str(source), "-o", str(folder / "parts")),
            measured("thanos data stats", rows, "data", "stats", str(source), "-o", str(folder / "stats")),
        ]
    print(f"this process              {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:6.0f} MB")
    return 0 if times <= MOST_TIMES and max(peaks) <= MOST_MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
