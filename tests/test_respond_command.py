"""`thanos respond` as a user runs it: its own process, real files, a real server that plans and replies."""

import json
import os
import signal
import subprocess
import time

import pytest
from chat_server import chat_server, completion, failure
from test_predict_command import COMMAND, read_rows, run, write_rows


def plans_and_replies(body):
    """The planner's prompt lists the skills; every other request asks for a reply."""
    if "[RESULT SKILL]" in body["messages"][0]["content"]:
        return completion("I want to know more. [RESULT SKILL] Clarification")
    return completion("Ben: Which one?\nAda: That one.")


def row(n: int, **extra) -> dict:
    turns = [{"speaker": "Ben", "text": "Look!"}, {"speaker": "Ada", "text": f"number {n} ."}]
    return {"id": f"d{n}", "turns": turns, **extra}


def write(path, n: int, **extra) -> str:
    path.write_text("".join(json.dumps(row(i, **extra)) + "\n" for i in range(n)))
    return str(path)


def models(url: str) -> list[str]:
    return ["-m", "openai/m", "-r", "openai/r", "--base-url", url, "--responder-base-url", url]


def test_rows_in_replies_out(tmp_path):
    out = tmp_path / "out.jsonl"
    with chat_server(plans_and_replies) as (url, seen):
        done = run("respond", write(tmp_path / "in.jsonl", 2, split="test", reply="x"), "-o", str(out), *models(url))
    assert done.returncode == 0, done.stderr
    assert "2 answered" in done.stderr
    assert sorted(read_rows(out), key=lambda r: r["line"])[1] == {
        "id": "d1",
        "line": 2,
        "explanation": "I want to know more.",
        "skill": "Clarification",
        "category": "Communication & Listening Skills",
        "scores": {},
        "valid": True,
        "split": "test",
        "input_reply": "x",
        "speaker": "Ben",
        "reply": "Which one?",
        "planned": True,
        "reply_raw": "Ben: Which one?\nAda: That one.",
        "model": "openai/m",
        "prompt": "zero-shot-1",
        "mode": "explain",
        "responder": "openai/r",
        "arm": "both",
        "reply_prompt": "reply-1.1",
    }
    told = next(body for body in seen if body["model"] == "openai/r".removeprefix("openai/"))
    assert "The conversational skill to use now is Clarification." in told["messages"][0]["content"]


def test_the_plain_arm_needs_no_planner(tmp_path):
    with chat_server(plans_and_replies) as (url, seen):
        done = run(
            "respond", write(tmp_path / "in.jsonl", 1), "--arm", "plain", "-r", "openai/r", "--responder-base-url", url
        )
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)
    assert (written["reply"], written["planned"]) == ("Which one?", False)
    assert "skill" not in written and len(seen) == 1


def test_a_failed_row_is_told_and_tried_again(tmp_path):
    file, out, failures = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "out.failed.jsonl"
    rows = [row(0), {"id": "one", "turns": [{"speaker": "Ada", "text": "Anybody?"}]}, row(2), row(3)]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows) + "nonsense\n")
    works = []

    def answer(body):
        planning = "[RESULT SKILL]" in body["messages"][0]["content"]
        text = body["messages"][-1]["content"]
        if not works and planning and "number 2" in text:
            return failure(400, "no plan")
        if not works and not planning and "number 3" in text:
            return failure(400, "no reply")
        return plans_and_replies(body)

    with chat_server(answer) as (url, seen):
        first = run("respond", str(file), "-o", str(out), *models(url))
        assert first.returncode == 1
        told = {r["line"]: r["error"] for r in read_rows(failures)}
        assert told.keys() == {2, 3, 4, 5}
        assert 'add "speaker"' in told[2] and "no plan" in told[3] and "no reply" in told[4] and "not JSON" in told[5]
        works.append(True)
        before = len(seen)
        second = run("respond", str(file), "-o", str(out), *models(url))
    assert second.returncode == 1
    assert sorted(r["line"] for r in read_rows(out)) == [1, 3, 4]
    assert len(seen) - before == 5  # two plans and replies, and the plan of the row that nobody can answer


def test_a_killed_run_goes_on(tmp_path):
    file, out = write(tmp_path / "in.jsonl", 40), tmp_path / "out.jsonl"

    def slow(body):
        time.sleep(0.03)
        return plans_and_replies(body)

    with chat_server(slow) as (url, _):
        command = [*COMMAND, "respond", file, "-o", str(out), *models(url), "--concurrency", "2"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.time() + 30
        while time.time() < deadline and (not out.exists() or len(read_rows(out)) < 3):
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(out.read_text().splitlines())
        done = run("respond", file, "-o", str(out), *models(url))
    assert done.returncode == 0, done.stderr
    assert f"{kept} rows were already in" in done.stderr
    assert sorted(r["line"] for r in read_rows(out)) == list(range(1, 41))


def test_an_output_of_another_arm_is_refused(tmp_path):
    file, out = write(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    with chat_server(plans_and_replies) as (url, _):
        assert run("respond", file, "-o", str(out), *models(url)).returncode == 0
        done = run("respond", file, "-o", str(out), *models(url), "--arm", "skill")
    assert done.returncode == 2 and "was begun with arm 'both', not 'skill'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--arm", "all"], "unknown arm 'all'"),
        (["-r", "openay/x"], "did you mean openai"),
        (["--concurrency", "4"], "--concurrency is no option of embedded or embedded/base"),
        (
            ["--batch-size", "4", "-m", "openai/m", "-r", "openai/r"],
            "--batch-size is no option of openai/m or openai/r",
        ),
    ],
)
def test_what_can_be_mended_is_one_line(tmp_path, arguments, says):
    done = run("respond", write(tmp_path / "in.jsonl", 1), *arguments, env={"OPENAI_API_KEY": "none"})
    assert done.returncode == 2 and says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_one_embedded_engine_plans_and_replies(tmp_path):
    file = write_rows(tmp_path / "in.jsonl", 2, speaker="B")
    done = run("respond", file, "-m", "embedded/base", "--mode", "direct", "--max-tokens", "8")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode in (0, 1), done.stderr
    assert len(rows) + len(done.stderr.splitlines()[:-1] if done.returncode else []) == 2
    assert all(r["skill"] and r["reply"] for r in rows)
