"""`thanos bench` from the data to the run folder, on real engines and a real server."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai")

from annotated_rows import read_jsonl
from bench_data import read_json, write_bench_data
from chat_server import chat_server, completion, failure
from typer.testing import CliRunner

from thanos.bench.models.inspect_model import get_inspect_model
from thanos.bench.models.provider import LOCAL_CONNECTIONS
from thanos.cli.app import app
from thanos.errors import ThanosError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_bench_data(tmp_path_factory.mktemp("bench") / "data")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def bench(*arguments, ok=0):
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == ok, result.output
    return result


def answers(text):
    """A server's answer to every planner's and judge's request."""
    return lambda body: completion(text(body) if callable(text) else text)


def test_a_baseline_runs_every_task_it_can(data, tmp_path):
    output = bench("all", "-m", "random", "--data", data, "-o", tmp_path, "--limit", 20).output
    assert "explanation passed over: random writes no explanation" in output
    assert {path.name for path in tmp_path.iterdir()} == {
        "skill", "blended-skill-talk", "photochat", "prosocial", "esconv", "casino", "dailydialog", "report.html",
    }  # fmt: skip
    folder = tmp_path / "skill" / "random"
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "versions.json", "prompts.json", "rows.jsonl", "metrics.json", "report.html", "log",
    }  # fmt: skip
    rows, metrics = read_jsonl(folder / "rows.jsonl"), read_json(folder / "metrics.json")
    assert metrics["n"] == len(rows) == 20 and metrics["failed"] == metrics["invalid"] == 0
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert all(set(row["credit"]) == {"top1", "top1_or_also", "top3", "category"} for row in rows)
    assert all(abs(sum(row["scores"].values()) - 1) < 1e-4 for row in rows)
    top1 = metrics["metrics"]["top1"]
    assert top1["value"] == sum(row["credit"]["top1"] for row in rows) / 20 and top1["low"] <= top1["value"]
    assert sum(map(sum, metrics["confusion"]["counts"])) == 20


def test_the_nearest_neighbour_brings_its_explanation(data, tmp_path):
    pytest.importorskip("wordllama")
    bench("explanation", "-m", "nearest", "--data", data, "-o", tmp_path, "--limit", 20)
    known = {row["explanation"] for row in read_jsonl(data / "annotated" / "train.jsonl")}
    rows = read_jsonl(tmp_path / "explanation" / "nearest" / "rows.jsonl")
    assert {row["explanation"] for row in rows} <= known and len({row["prediction"] for row in rows}) > 3


def test_a_baseline_without_training_rows_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("THANOS_SHARED", raising=False)
    with pytest.raises(ThanosError, match="majority learns from annotated rows: give --train FILE"):
        bench("skill", "-m", "majority", "--annotated", ROOT / "examples" / "original.jsonl", "-o", tmp_path)


def test_a_stopped_run_goes_on_to_the_same_metrics(data, tmp_path):
    asked, lock = [], threading.Lock()

    def answer(body):
        text = body["messages"][-1]["content"]
        with lock:
            asked.append(text)
        time.sleep(0.05)
        n = sum(text.encode()) % 3
        return completion(f"Thought {n}. [RESULT SKILL] {('Empathy', 'Echoing', 'Rhetoric')[n]}")

    with chat_server(answer) as (url, _):
        command = [sys.executable, "-m", "thanos", "bench", "skill", "-m", "openai/m", "--base-url", url]
        command += ["--data", str(data), "--concurrency", "4", "--limit", "100", "-o"]
        for rows, stop in ((25, signal.SIGINT), (70, signal.SIGKILL)):
            process = subprocess.Popen(
                [*command, str(tmp_path / "stopped")], cwd=ROOT, stderr=subprocess.PIPE, text=True
            )
            while len(asked) < rows and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(stop)
            said = process.communicate()[1]
            if stop == signal.SIGINT:
                assert process.returncode == 130 and said == "thanos: stopped; the same command goes on\n"
        assert not (tmp_path / "stopped" / "skill" / "openai-m" / "metrics.json").exists()
        before = len(asked)
        bench(*command[4:], tmp_path / "stopped")
        resumed = len(asked) - before
        assert 0 < resumed < 60
        bench(*command[4:], tmp_path / "whole")
    read = lambda name: (tmp_path / name / "skill" / "openai-m" / "metrics.json").read_bytes()
    assert read("stopped") == read("whole")
    assert len(asked) == before + resumed + 100


def test_failed_rows_are_wrong_counted_apart_and_tried_again(data, tmp_path):
    broken = threading.Event()
    broken.set()

    def answer(body):
        if broken.is_set() and sum(body["messages"][-1]["content"].encode()) % 4 == 0:
            return failure(400, "too rude")
        return completion("I see. [RESULT SKILL] Empathy")

    with chat_server(answer) as (url, seen):
        options = ["skill", "-m", "openai/m", "--base-url", url, "--data", data, "-o", tmp_path, "--limit", 40]
        assert "count as wrong" in bench(*options, ok=1).output
        folder = tmp_path / "skill" / "openai-m"
        rows, metrics = read_jsonl(folder / "rows.jsonl"), read_json(folder / "metrics.json")
        failed = [row for row in rows if row["error"]]
        assert 0 < len(failed) == metrics["failed"] == metrics["invalid"] < 40 and metrics["n"] == 40
        assert all("too rude" in row["error"] and row["credit"]["top1"] == 0 and not row["valid"] for row in failed)
        broken.clear()
        before = len(seen)
        bench(*options)
        assert len(seen) == before + len(failed)
        assert read_json(folder / "metrics.json")["failed"] == 0


def test_outputs_without_a_skill_are_wrong_everywhere(data, tmp_path):
    with chat_server(answers("I'd rather not say.")) as (url, _):
        for task in ("skill", "prosocial", "photochat"):
            bench(task, "-m", "openai/m", "--base-url", url, "--data", data, "-o", tmp_path, "--limit", 12)
    for task, name in (("skill", "top1"), ("prosocial", "accuracy"), ("photochat", "accuracy")):
        metrics = read_json(tmp_path / task / "openai-m" / "metrics.json")
        assert metrics["metrics"][name]["value"] == 0.0 and metrics["metrics"]["invalid_rate"]["value"] == 1.0
        assert metrics["invalid"] == metrics["n"] and metrics["failed"] == 0


def test_a_judge_rates_explanations_and_its_failures_score_nothing(data, tmp_path):
    def answer(body):
        text = body["messages"][-1]["content"]
        if body["model"] == "judge":
            n = sum(text.encode()) % 2
            return completion("relevance: 4\nplausibility: 2\nunderstanding: 3" if n else "Hard to say.")
        return completion("I notice how tired she is. [RESULT SKILL] Empathy")

    with chat_server(answer) as (url, seen):
        os.environ["OPENAI_BASE_URL"] = url
        try:
            options = ("-m", "openai/m", "--judge", "openai/judge", "--data", data, "-o", tmp_path, "--limit", 16)
            bench("explanation", *options)
            folder = tmp_path / "explanation" / "openai-m"
            metrics = read_json(folder / "metrics.json")["metrics"]
            assert metrics["relevance"]["value"] == 4.0 and 0 < metrics["relevance"]["n"] < 16
            assert metrics["rougeL"]["n"] == metrics["bleu4"]["n"] == 16
            prompts = read_json(folder / "prompts.json")
            assert prompts["judge"]["version"] == 1 and "plausibility" in prompts["judge"]["system"]
            assert read_json(folder / "metrics.json")["versions"]["judge"] == "openai/judge"
            planned = [body for body in seen if body["model"] == "m"]
            bench("rescore", folder, "--judge", "openai/other")
            assert [body for body in seen if body["model"] == "m"] == planned
        finally:
            del os.environ["OPENAI_BASE_URL"]
    again = read_json(folder / "metrics.json")
    assert "relevance" not in again["metrics"] and again["versions"]["judge"] == "openai/other"
    assert again["metrics"]["rougeL"] == metrics["rougeL"]


def test_rescoring_generates_nothing_and_gives_the_same_bytes(data, tmp_path):
    bench("casino", "-m", "random", "--data", data, "-o", tmp_path)
    folder = tmp_path / "casino" / "random"
    before = [(folder / name).read_bytes() for name in ("rows.jsonl", "metrics.json")]
    for name in ("rows.jsonl", "metrics.json"):
        (folder / name).unlink()
    bench("rescore", next((folder / "log").glob("*.eval")))
    assert [(folder / name).read_bytes() for name in ("rows.jsonl", "metrics.json")] == before
    with pytest.raises(ThanosError, match="no log in"):
        bench("rescore", tmp_path)


def test_seeds_sample_every_row_and_keep_them_together(data, tmp_path):
    with chat_server(answers("Yes. [RESULT SKILL] Empathy")) as (url, seen):
        options = ("--base-url", url, "--data", data, "-o", tmp_path, "--limit", 5, "--seeds", 3)
        bench("skill", "-m", "openai/m", *options)
    assert sorted(body["seed"] for body in seen) == [0] * 5 + [1] * 5 + [2] * 5
    assert {body["temperature"] for body in seen} == {0.9}
    folder = tmp_path / "skill" / "openai-m"
    rows, metrics = read_jsonl(folder / "rows.jsonl"), read_json(folder / "metrics.json")
    assert len(rows) == 15 == len({(row["id"], row["seed"]) for row in rows})
    assert (metrics["n"], metrics["clusters"]) == (15, 5)


def test_a_folder_of_another_run_is_refused(data, tmp_path):
    bench("esconv", "-m", "random", "--data", data, "-o", tmp_path)
    with pytest.raises(ThanosError, match=r"was begun with limit None, not 1: give another -o"):
        bench("esconv", "-m", "random", "--data", data, "-o", tmp_path, "--limit", 1)


def test_a_server_that_is_down_is_one_line(data, tmp_path):
    with pytest.raises(ThanosError, match="can't reach"):
        options = ("--base-url", "http://127.0.0.1:9/v1", "--retries", 0, "--data", data, "-o", tmp_path)
        bench("skill", "-m", "openai/m", *options, "--limit", 3)


def test_unknown_models_are_one_line():
    with pytest.raises(ThanosError, match="no model 'embeded'"):
        get_inspect_model("embeded")
    with pytest.raises(ThanosError, match="inspect/nosuch/model"):
        get_inspect_model("inspect/nosuch/model")


def test_samples_that_wait_go_through_the_engine_together(data, tmp_path):
    model = get_inspect_model("random", data / "annotated" / "train.jsonl")
    sizes, generate = [], model.api.engine.generate

    def slow(requests):
        requests = list(requests)
        sizes.append(len(requests))
        time.sleep(0.5)  # as long as it takes inspect to begin the samples that a real model would let wait
        yield from generate(requests)

    model.api.engine.generate = slow
    try:
        bench("skill", "-m", "random", "--data", data, "-o", tmp_path)
    finally:
        model.api.engine.generate = generate
    assert sum(sizes) == 195 and len(sizes) < 20 and max(sizes) <= LOCAL_CONNECTIONS


def test_inspect_finds_the_provider():
    assert any(point.name == "thanos" for point in entry_points(group="inspect_ai"))


def test_help_lists_the_tasks():
    text = re.sub(r"\s+", " ", bench("--help").output)
    assert all(name in text for name in ("skill", "blended-skill-talk", "all", "rescore", "compare"))
    assert bench("list").output.splitlines()[0].startswith("skill")
