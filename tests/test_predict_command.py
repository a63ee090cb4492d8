"""`thanos predict` as a user runs it: its own process, real files, a real server."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from chat_server import chat_server, completion, failure

COMMAND = [sys.executable, "-m", "thanos"]
GOOD = completion("I want to know more. [RESULT SKILL] Clarification")


def run(*arguments: str, input: str | None = None, env: dict | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "COLUMNS": "120", **(env or {})}
    return subprocess.run(
        [*COMMAND, *arguments], input=input, capture_output=True, text=True, timeout=60, env=environment
    )


def write_rows(path, n: int, **extra):
    with path.open("w") as file:
        for i in range(n):
            file.write(
                json.dumps({"id": f"d{i}", "turns": [{"speaker": "A", "text": f"number {i} ."}], **extra}) + "\n"
            )
    return str(path)


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_in_rows_out(tmp_path):
    file = write_rows(tmp_path / "in.jsonl", 3, skill="Empathy", split="test", model=3)
    out = tmp_path / "out.jsonl"
    with chat_server(lambda body: GOOD) as (url, _):
        done = run("predict", file, "-o", str(out), "-m", "openai/m", "--base-url", url, "--price", "1,10")
    assert done.returncode == 0, done.stderr
    assert "3 predicted" in done.stderr and "300 tokens in, 30 out, $0.0006" in done.stderr
    assert sorted(read_rows(out), key=lambda r: r["line"])[0] == {
        "id": "d0",
        "line": 1,
        "explanation": "I want to know more.",
        "skill": "Clarification",
        "category": "Communication & Listening Skills",
        "scores": {},
        "valid": True,
        "input_skill": "Empathy",
        "split": "test",
        "input_model": 3,
        "model": "openai/m",
        "prompt": "zero-shot-1",
        "mode": "explain",
    }


def test_standard_input_to_standard_output():
    with chat_server(lambda body: GOOD) as (url, seen):
        done = run(
            "predict", "-", "-m", "openai/m", "--base-url", url, "--context", "Friends.", input="Tom: Hi\nSam: Ho\n"
        )
    assert done.returncode == 0 and json.loads(done.stdout)["skill"] == "Clarification"
    assert "Social context:\nFriends." in seen[0]["messages"][1]["content"]


def test_rows_on_standard_output_keep_their_order(tmp_path):
    def answer(body):
        n = int(body["messages"][1]["content"].split("number ")[1].split()[0])
        time.sleep(0.02 * (n % 3))
        return GOOD

    with chat_server(answer) as (url, _):
        done = run("predict", write_rows(tmp_path / "in.jsonl", 20), "-m", "openai/m", "--base-url", url)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [f"d{i}" for i in range(20)]


def test_bad_rows_are_reported_and_good_ones_done(tmp_path):
    file = tmp_path / "in.jsonl"
    good = json.dumps({"turns": [{"speaker": "A", "text": "Hi"}]})
    file.write_bytes(
        f'{good}\n{{"turn": []}}\n{{"turns": []}}\n'.encode() + b'{"turns": "\xe9"}\n' + good.encode() + b"\n"
    )
    out = tmp_path / "out.jsonl"
    with chat_server(lambda body: GOOD) as (url, _):
        done = run("predict", str(file), "-o", str(out), "-m", "openai/m", "--base-url", url)
    assert done.returncode == 1
    assert {r["line"] for r in read_rows(out)} == {1, 5}
    failed = {r["line"]: r["error"] for r in read_rows(tmp_path / "out.failed.jsonl")}
    assert "nearest key is 'turn'" in failed[2] and "empty dialogue" in failed[3] and "not UTF-8" in failed[4]
    assert "Traceback" not in done.stderr and "2 predicted, 3 failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["predict", "nowhere.jsonl", "-m", "openai/m", "--base-url", "http://127.0.0.1:9"],
            "can't read nowhere.jsonl",
        ),
        (["predict", "-", "-m", "gpt"], "no model 'gpt'"),
        (
            ["predict", "-", "-m", "openai/m", "--base-url", "http://127.0.0.1:9", "--retries", "0"],
            "can't reach http://127.0.0.1:9",
        ),
        (["predict", "-", "-m", "openai/m", "--base-url", "http://127.0.0.1:9", "--price", "cheap"], "--price 'cheap'"),
        (["predict", "-", "-m", "openai/m", "--base-url", "http://127.0.0.1:9", "--mode", "x"], "unknown mode 'x'"),
        (["predict", "-", "-m", "hf/no/such/model"], "hf/"),
    ],
)
def test_one_clear_line_and_no_traceback(arguments, message):
    done = run(*arguments, input="A: Hi\n", env={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("thanos:")]) == 1


def slow_server():
    def answer(body):
        time.sleep(0.05)
        return completion(
            f"Thought about {body['messages'][1]['content'].split('number ')[1].split()[0]}. [RESULT SKILL] Empathy"
        )

    return chat_server(answer)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_the_middle_and_run_again(tmp_path, how):
    file, out = write_rows(tmp_path / "in.jsonl", 60), tmp_path / "out.jsonl"
    with slow_server() as (url, seen):
        arguments = ["predict", file, "-o", str(out), "-m", "openai/m", "--base-url", url, "--concurrency", "2"]
        process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
        while not out.exists() or out.read_bytes().count(b"\n") < 20:
            time.sleep(0.02)
        process.send_signal(how)
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == (130 if how == signal.SIGINT else -9)
        if how == signal.SIGINT:
            # Nothing that was in flight is lost: each answer that the server gave is in the file.
            assert len(read_rows(out)) == len(seen) and "the same command goes on" in stderr
        before = out.read_bytes().count(b"\n")
        assert 20 <= before < 60
        done = run(*arguments)
    assert done.returncode == 0 and f"{before} rows were already in" in done.stderr
    rows = read_rows(out)
    assert sorted(r["id"] for r in rows) == sorted(f"d{i}" for i in range(60))
    assert all(r["explanation"] == f"Thought about {r['id'][1:]}." for r in rows)


def test_failed_rows_are_tried_again_by_the_next_run(tmp_path):
    file, out = write_rows(tmp_path / "in.jsonl", 5), tmp_path / "out.jsonl"
    broken = True
    with chat_server(
        lambda b: failure(500, "no") if broken and "number 3" in b["messages"][1]["content"] else GOOD
    ) as (url, seen):
        arguments = ["predict", file, "-o", str(out), "-m", "openai/m", "--base-url", url, "--retries", "0"]
        assert run(*arguments).returncode == 1
        broken = False
        assert run(*arguments).returncode == 0
    assert len(read_rows(out)) == 5 and len(seen) == 6 and not (tmp_path / "out.failed.jsonl").exists()


def test_skills_and_help():
    assert "Preference Elicitation" in run("skills").stdout
    rows = [json.loads(line) for line in run("skills", "--json").stdout.splitlines()]
    assert len(rows) == 39 and rows[0]["category"] == "Interpersonal Skills"
    assert "predict" in run("--help").stdout
    assert run("--version").stdout.startswith("thanos 0.")


def test_show_prints_the_exact_prompt(tmp_path):
    file = tmp_path / "chat.txt"
    file.write_text("# They are friends.\nTom: Hi [bold]you[/bold]\n")
    done = run("show", str(file), "-m", "openai/m", "--base-url", "http://127.0.0.1:9", "--prompt", "thanos")
    assert done.returncode == 0
    assert "### Dialogue:\nTom: Hi [bold]you[/bold]\n\n### Explanation: " in done.stdout
    assert "tokens" in done.stdout


def test_help_needs_nothing_heavy():
    code = "import sys, thanos.cli.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "numpy", "openai", "pydantic", "yaml", "onnxruntime", "matplotlib", "datasets"}
    assert not heavy & set(done.stdout.split())
