"""The Ray path: shards are cut exactly, and two worker processes, one of them killed, do what one local run does."""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from annotated_rows import read_jsonl, write_rows
from chat_server import chat_server, completion
from hypothesis import given
from hypothesis import strategies as st
from test_annotate import ANSWER, turn

from thanos.annotate.endpoint import Endpoint
from thanos.annotate.ray_run import AnnotateShard, annotate_on_ray
from thanos.annotate.run import annotate_file
from thanos.dialogue import read_rows
from thanos.distributed import Shard, find_shards, read_shard, run_on_ray
from thanos.errors import ThanosError
from thanos.longrun import Journal
from thanos.skills import Skill


def test_shards_hold_every_row_once_with_its_line(tmp_path):
    rows = [turn(n) for n in range(23)]
    path = write_rows(tmp_path / "t.jsonl", rows)
    shards = find_shards(str(path), rows_per_shard=5)
    assert [shard.rows for shard in shards] == [5, 5, 5, 5, 3]
    assert [row for shard in shards for row in read_shard(shard)] == list(read_rows(str(path)))


@given(st.lists(st.sampled_from(['{"id": "é", "turns": "A: x"}', "", "  ", "{broken", "[]", '{"id": 3}']), min_size=1))
def test_any_lines_give_the_same_rows_as_the_whole_file(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "t.jsonl"
    path.write_text('{"turns": "A: first"}\n' + "\n".join(lines))
    whole = [(row.line, row.dialogue) for row in read_rows(str(path))]
    for size in (1, 2, 1000):
        shards = find_shards(str(path), rows_per_shard=size)
        assert [(row.line, row.dialogue) for shard in shards for row in read_shard(shard)] == whole


def test_folders_and_parquet_shards_count_through(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [turn(n) for n in range(9)]
    rows[2]["dialogue"][0] = {"speaker": "Vera", "text": "", "image": "a kite"}
    write_rows(tmp_path / "a.jsonl", rows[:4])
    parquet.write_table(pyarrow.Table.from_pylist(rows[4:]), tmp_path / "b.parquet", row_group_size=2)
    shards = find_shards(str(tmp_path))
    assert [(shard.first_line, shard.rows) for shard in shards] == [(1, 4), (5, 2), (7, 2), (9, 1)]
    found = [row for shard in shards for row in read_shard(shard)]
    assert [row.line for row in found] == list(range(1, 10))
    whole = write_rows(tmp_path / "whole.txt", rows)
    assert [row.dialogue.model_dump() for row in found] == [row.dialogue.model_dump() for row in read_rows(str(whole))]


def test_an_empty_place_is_one_line(tmp_path):
    for source in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(ThanosError):
            find_shards(str(source))


def answer_of(body):
    """An answer that depends on the turn alone."""
    number = int(hashlib.sha256(body["messages"][1]["content"].encode()).hexdigest(), 16)
    skills = list(Skill)
    skill = skills[number % 39]
    rejected = {"explanation": "Or so.", "skill": skills[(number + 1) % 39]}
    return ANSWER | {"explanation": f"I think of {number % 10**9}.", "skill": skill, "also": None, "rejected": rejected}


@dataclass(frozen=True)
class NamedWork:
    """The real work, after writing down which process does it."""

    work: AnnotateShard

    def __call__(self, shard: Shard, journal_path: Path) -> dict[str, int]:
        journal_path.with_suffix(f".{os.getpid()}.pid").touch()
        return self.work(shard, journal_path)


def size_of(path: Path) -> int:
    """Bytes; 0 for a file that was just put in its place."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason="ray isn't installed: pip install 'thanos-skill-of-mind[ray]'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_does_nothing_twice(cluster, tmp_path):
    rows = [turn(n) for n in range(240)]
    source = write_rows(tmp_path / "t.jsonl", rows)
    asked, lock = {}, threading.Lock()

    def answer(body):
        with lock:
            key = body["messages"][1]["content"]
            asked[key] = asked.get(key, 0) + 1
        time.sleep(0.05)
        return completion(json.dumps(answer_of(body)))

    output, killed = tmp_path / "parts", []

    def kill_one():
        """As soon as two processes are at work and some of their rows are written, one of them dies."""
        while not killed:
            time.sleep(0.02)
            # A journal is looked for first: who writes it was named before its first row.
            journals = [path for path in output.glob("work/part-*.jsonl") if size_of(path) > 3000]
            pids = {path.name.split(".")[0]: int(path.suffixes[0][1:]) for path in output.glob("work/*.pid")}
            if len(set(pids.values())) >= 2 and journals:
                victim = pids[journals[0].stem]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)

    with chat_server(answer) as (url, _):
        work = AnnotateShard("openai/m", url, None, None, 4, 10.0, 3)
        threading.Thread(target=kill_one, daemon=True).start()
        report = run_on_ray(find_shards(str(source), rows_per_shard=40), NamedWork(work), output)
        requests = sum(asked.values())
        again = run_on_ray(find_shards(str(source), rows_per_shard=40), NamedWork(work), output)
        assert sum(asked.values()) == requests and again.there == 6
        annotate_file(str(source), tmp_path / "local.jsonl", Endpoint("openai/m", url), concurrency=8)
    pids = {int(path.suffixes[0][1:]) for path in output.glob("work/*.pid")}
    assert killed and len(pids) >= 3  # two, and the one in the place of the dead
    assert report.shards == 6 and report.failed == 0
    parts = [row for path in sorted(output.glob("part-*.jsonl")) for row in read_jsonl(path)]
    assert parts == sorted(read_jsonl(tmp_path / "local.jsonl"), key=lambda row: row["line"])
    assert [row["line"] for row in parts] == list(range(1, 241))
    # Only what the dead one had in flight was asked again.
    assert 240 <= requests <= 240 + 4


@pytest.mark.slow
def test_parquet_in_parquet_out_and_failed_rows_are_tried_by_the_next_run(cluster, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [turn(n) for n in range(20)]
    (tmp_path / "in").mkdir()
    for half in (0, 1):
        table = pyarrow.Table.from_pylist(rows[10 * half : 10 * half + 10])
        parquet.write_table(table, tmp_path / f"in/{half}.parquet")
    broken = {"on": True}

    def answer(body):
        if broken["on"] and rows[3]["dialogue"][0]["text"] in body["messages"][1]["content"]:
            return 400, {"error": {"message": "refused"}}
        return completion(json.dumps(answer_of(body)))

    with chat_server(answer) as (url, seen):
        report = annotate_on_ray(str(tmp_path / "in"), tmp_path / "out", "openai/m", url)
        assert (report.failed, report.counts["annotated"]) == (1, 19)
        (failed,) = read_jsonl(tmp_path / "out/part-00000.failed.jsonl")
        assert failed["line"] == 4 and "refused" in failed["error"]
        broken["on"], before = False, len(seen)
        report = annotate_on_ray(str(tmp_path / "in"), tmp_path / "out", "openai/m", url)
        assert (report.there, report.failed, len(seen) - before) == (1, 0, 1)
    made = [
        row for path in sorted((tmp_path / "out").glob("*.parquet")) for row in parquet.read_table(path).to_pylist()
    ]
    assert [row["id"] for row in made] == [row["id"] for row in rows]
    assert [row["dialogue"] for row in made] == [row["dialogue"] for row in rows]
    assert not list((tmp_path / "out").glob("*.failed.jsonl"))


@dataclass(frozen=True)
class FailingOnce:
    """Work that breaks in the middle the first time."""

    def __call__(self, shard: Shard, journal_path: Path) -> dict[str, int]:
        with Journal(journal_path, {}) as journal:
            for row in read_shard(shard):
                if journal.holds(row.line, row.dialogue.id):
                    continue
                journal.append(row.line, row.dialogue.id, {"resumed": journal.resumed})
                if journal.finished == 2 and not journal.resumed:
                    raise OSError("the disk is away")
        return {"done": journal.finished}


@pytest.mark.slow
def test_a_block_that_breaks_is_begun_again_where_it_ended(cluster, tmp_path):
    source = write_rows(tmp_path / "t.jsonl", [turn(n) for n in range(10)])
    report = run_on_ray(find_shards(str(source), rows_per_shard=5), FailingOnce(), tmp_path / "out")
    rows = [row for path in sorted((tmp_path / "out").glob("*.jsonl")) for row in read_jsonl(path)]
    assert report.counts == {"done": 10} and [row["resumed"] for row in rows] == [0, 0, 2, 2, 2] * 2


@pytest.mark.slow
def test_a_shard_that_fails_as_a_whole_is_one_line(cluster, tmp_path):
    source = write_rows(tmp_path / "t.jsonl", [turn(1)])
    with pytest.raises(ThanosError, match="can't reach"):
        annotate_on_ray(str(source), tmp_path / "out", "openai/m", "http://127.0.0.1:9/v1")


def test_predictions_over_ray_are_those_of_a_local_run(tmp_path):
    pytest.importorskip("ray", reason="needs the extra ray")
    from thanos import Thanos
    from thanos.predict.ray_run import predict_on_ray

    rows = [turn(n) for n in range(12)] + [{"turn": []}]
    source = write_rows(tmp_path / "t.jsonl", rows)
    shards = find_shards(str(source), rows_per_shard=4)
    answer = lambda body: completion(f"{len(body['messages'][1]['content'])} letters. [RESULT SKILL] Empathy")
    with chat_server(answer) as (url, _):
        options = {"model": "openai/m", "base_url": url}
        report = predict_on_ray(str(source), tmp_path / "out", options, lambda: None, shards)
        local = list(Thanos(**options).predict_many(rows[:12]))
    parts = [row for part in sorted((tmp_path / "out").glob("part-?????.jsonl")) for row in read_jsonl(part)]
    assert [row["explanation"] for row in parts] == [thought.explanation for thought in local]
    assert [row["line"] for row in parts] == list(range(1, 13))
    assert report.failed == 1 and report.counts == {"predicted": 12, "invalid": 0}
