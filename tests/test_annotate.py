"""Live annotation against a real server on loopback."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest
from annotated_rows import annotated_row, read_jsonl, write_rows
from chat_server import chat_server, completion, failure
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from thanos.annotate.answer import read_answer
from thanos.annotate.cost import Price
from thanos.annotate.endpoint import Endpoint
from thanos.annotate.prompt import RESPONSE_FORMAT, load_annotation_prompt
from thanos.annotate.run import annotate_file
from thanos.cli.app import app
from thanos.data import read_next_turn
from thanos.dialogue import dialogue_from_row
from thanos.errors import EngineError, ThanosError
from thanos.skills import Skill

ANSWER = {
    "explanation": "I hear how tired she is, and I'd like her to feel less alone with it.",
    "skill": "Empathy",
    "also": "Reflective Listening",
    "rejected": {"explanation": "I could tell her at once what to do about the bicycle.", "skill": "Mentoring"},
}


def turn(number, **fields):
    row = annotated_row(number, **fields)
    return {key: value for key, value in row.items() if key not in ("skill", "also", "explanation")}


def good(body):
    return completion(json.dumps(ANSWER))


def annotate(tmp_path, url, rows, **options):
    source = write_rows(tmp_path / "turns.jsonl", rows)
    return annotate_file(
        str(source), tmp_path / "out.jsonl", Endpoint("openai/m", url), **{"concurrency": 8, **options}
    )


@pytest.fixture
def quick(monkeypatch):
    """Tries follow each other quickly."""
    monkeypatch.setattr("thanos.annotate.live.FIRST_WAIT", 0.01)


def test_rows_come_out_in_the_dataset_form(tmp_path):
    rows = [turn(1, mood="sour"), turn(2, response=None)]
    with chat_server(good) as (url, seen):
        result = annotate(tmp_path, url, rows)
    out = {row["id"]: row for row in read_jsonl(tmp_path / "out.jsonl")}
    for row in rows:
        made = out[row["id"]]
        assert {key: made[key] for key in row} == row
        assert {key: made[key] for key in ANSWER} == ANSWER
        assert made["usage"] == {"prompt_tokens": 100, "completion_tokens": 10}
        assert (made["model"], made["prompt"]) == ("openai/m", "annotate-1")
    assert result.tally.annotated == 2 and result.tally.usage.prompt_tokens == 200
    assert not (tmp_path / "out.failed.jsonl").exists() and not (tmp_path / "out.spent.jsonl").exists()
    asked = next(body for body in seen if rows[0]["response"]["text"] in body["messages"][1]["content"])
    assert asked["response_format"] == RESPONSE_FORMAT
    system = asked["messages"][0]["content"]
    assert all(f"- {skill.value}: {skill.definition}" in system for skill in Skill)
    enum = RESPONSE_FORMAT["json_schema"]["schema"]["properties"]["skill"]["enum"]
    assert enum == [skill.value for skill in Skill] and len(enum) == 39


def test_the_prompt_survives_braces_and_says_when_there_is_no_reply():
    row = turn(1, response=None, social_context="{speaker} {0} {{x}}")
    content = load_annotation_prompt().render(read_next_turn(dialogue_from_row(row)))[1]["content"]
    assert "{speaker} {0} {{x}}" in content and "(not given" in content


def test_every_kind_of_bad_answer_is_tried_again(tmp_path, quick):
    faults = [
        failure(429, "slow down"),
        failure(500, "oops"),
        b"<html>not json</html>",
        completion('{"explanation": "I feel", "skill": "Emp'),
        completion(json.dumps(ANSWER | {"skill": "Astrology"})),
        completion(json.dumps(ANSWER | {"explanation": " "})),
        completion("[1]"),
        completion(""),
        {"choices": []},
        completion(json.dumps(ANSWER)) | {"choices": [{"finish_reason": "length", "message": {"content": "{"}}]},
    ]
    tried, lock = {}, threading.Lock()

    def answer(body):
        with lock:
            key = body["messages"][1]["content"]
            tried[key] = tried.get(key, 0) + 1
            first = tried[key] == 1
        return faults[sum(map(ord, key)) % len(faults)] if first else good(body)

    rows = [turn(n) for n in range(60)]
    with chat_server(answer) as (url, seen):
        result = annotate(tmp_path, url, rows)
    assert sorted(row["id"] for row in read_jsonl(tmp_path / "out.jsonl")) == sorted(row["id"] for row in rows)
    assert result.tally.retried == 60 and len(seen) == 120
    # What useless answers cost is written down: the six kinds that came with a count of tokens.
    spent = read_jsonl(tmp_path / "out.spent.jsonl")
    assert 0 < len(spent) < 60 and all(row["usage"]["prompt_tokens"] == 100 for row in spent)
    assert result.tally.usage.prompt_tokens == 100 * (60 + len(spent))
    assert {body["seed"] for body in seen} == {0, 1}


def test_a_body_that_breaks_off_and_a_stalled_server_are_tried_again(tmp_path, quick):
    """The server closes the connection in the middle of a body, then is silent for longer than the timeout."""
    import socket

    calls = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(1 << 20)
            calls.append(time.monotonic())
            body = json.dumps(completion(json.dumps(ANSWER))).encode()
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            )
            if len(calls) == 1:
                connection.sendall(head % len(body) + body[:40])
            elif len(calls) == 2:
                time.sleep(0.6)
            else:
                connection.sendall(head % len(body) + body)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    source = write_rows(tmp_path / "turns.jsonl", [turn(1)])
    url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    result = annotate_file(str(source), tmp_path / "out.jsonl", Endpoint("openai/m", url, timeout=0.3), concurrency=1)
    server.close()
    assert result.tally.annotated == 1 and result.tally.retried == len(calls) - 1 >= 2


def test_a_row_that_never_works_fails_alone_and_is_tried_by_the_next_run(tmp_path, quick):
    broken = {"on": True}

    def answer(body):
        return failure(503, "busy") if broken["on"] and "row five" in body["messages"][1]["content"] else good(body)

    rows = [turn(n, social_context="row five" if n == 5 else "") for n in range(10)]
    with chat_server(answer) as (url, _):
        result = annotate(tmp_path, url, rows, retries=2)
        assert (result.tally.annotated, result.tally.failed) == (9, 1)
        (failed,) = read_jsonl(tmp_path / "out.failed.jsonl")
        assert failed["id"] == "ours:5:3" and "busy" in failed["error"] and "try 3" in failed["error"]
        broken["on"] = False
        result = annotate(tmp_path, url, rows)
    assert (result.resumed, result.tally.annotated) == (9, 1)
    assert len(read_jsonl(tmp_path / "out.jsonl")) == 10 and not (tmp_path / "out.failed.jsonl").exists()


def test_a_request_refused_for_good_is_not_repeated(tmp_path):
    with chat_server(lambda body: failure(400, "context length exceeded")) as (url, seen):
        result = annotate(tmp_path, url, [turn(1)])
    assert result.tally.failed == 1 and len(seen) == 1 and "context length" in result.tally.errors[0][1]


def test_a_server_without_structured_output_or_seeds_is_served_in_its_way(tmp_path):
    def answer(body):
        if "response_format" in body:
            return failure(400, "response_format is not supported")
        if "seed" in body:
            return failure(400, "unknown", param="seed")
        return completion("```json\n" + json.dumps(ANSWER) + "\n```")

    with chat_server(answer) as (url, _):
        assert annotate(tmp_path, url, [turn(n) for n in range(5)], concurrency=1).tally.annotated == 5


@pytest.mark.parametrize(
    ("status", "fields", "named"),
    [(401, {}, "HTTP 401"), (404, {}, "HTTP 404"), (429, {"code": "insufficient_quota"}, "HTTP 429")],
)
def test_what_concerns_all_requests_stops_the_run(tmp_path, status, fields, named):
    with chat_server(lambda body: failure(status, "no", **fields)) as (url, seen):
        with pytest.raises(EngineError, match=named):
            annotate(tmp_path, url, [turn(n) for n in range(100)], concurrency=2)
    assert len(seen) <= 4


def test_no_server_and_no_endpoint_are_one_line(tmp_path):
    with pytest.raises(EngineError, match="is the server running"):
        annotate(tmp_path, "http://127.0.0.1:9/v1", [turn(1)])
    with pytest.raises(ThanosError, match="asks an endpoint"):
        Endpoint("hf/x")


def test_bad_rows_are_reported_and_the_others_done(tmp_path):
    rows = [turn(1), {"id": "x", "dialogue": [{"speaker": "A", "text": "Hm"}]}, turn(2, response=3), turn(3)]
    with chat_server(good) as (url, _):
        result = annotate(tmp_path, url, rows)
    assert result.tally.annotated == 2 and [line for line, _ in result.tally.errors] == [2, 3]
    assert "nobody to speak next" in result.tally.errors[0][1]


def test_the_budget_is_kept_over_several_runs_and_nothing_is_lost(tmp_path):
    """100 tokens in and 10 out at $1000 and $1000 a million: $0.11 a row."""
    rows = [turn(n) for n in range(200)]
    price = Price(1000, 1000)
    with chat_server(good) as (url, _):
        first = annotate(tmp_path, url, rows, price=price, max_cost=8.0)
        assert first.tally.out_of_money and 0 < first.budget.cost <= 8.0
        done = len(read_jsonl(tmp_path / "out.jsonl"))
        assert done == first.tally.annotated and first.budget.cost == pytest.approx(0.11 * done)
        again = annotate(tmp_path, url, rows, price=price, max_cost=8.0)
        assert again.tally.out_of_money and again.budget.cost <= 8.0
        last = annotate(tmp_path, url, rows, price=price, max_cost=100.0)
    assert not last.tally.out_of_money and last.budget.cost == pytest.approx(22.0)
    assert sorted(row["line"] for row in read_jsonl(tmp_path / "out.jsonl")) == list(range(1, 201))


def test_a_long_retry_after_holds_all_requests(tmp_path, monkeypatch):
    monkeypatch.setattr("thanos.annotate.live.LONG_PAUSE", 0.01)  # the server asks for 0.05 s
    times = []

    def answer(body):
        times.append(time.monotonic())
        return failure(429, "later") if len(times) == 1 else good(body)

    with chat_server(answer) as (url, _):
        annotate(tmp_path, url, [turn(n) for n in range(3)], concurrency=1)
    assert times[1] - times[0] >= 0.05


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        read_answer(text)
    except ThanosError:
        pass


json_values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.sampled_from(list(Skill)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*ANSWER]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*ANSWER]), json_values))
def test_any_object_is_read_or_refused(value):
    try:
        found = read_answer(json.dumps(value))
    except ThanosError:
        return
    assert found.explanation and found.also != found.skill
    assert found.rejected is None or found.rejected["skill"] not in (found.skill, found.also)


def test_a_rejected_thought_with_the_same_skill_is_left_out():
    same = ANSWER | {"rejected": {"explanation": "Well.", "skill": "empathy"}}
    assert read_answer(json.dumps(same)).rejected is None
    assert read_answer(json.dumps(ANSWER)).rejected == ANSWER["rejected"]


def test_the_command_says_what_it_will_cost_and_what_it_cost(tmp_path):
    source = write_rows(tmp_path / "turns.jsonl", [turn(n) for n in range(3)])
    with chat_server(good) as (url, _):
        arguments = ["annotate", "run", source, "-o", tmp_path / "o.jsonl", "-m", "openai/m", "--base-url", url]
        result = CliRunner().invoke(app, [*map(str, arguments), "--price", "1,2"])
        assert result.exit_code == 0, result.output
        assert "3 turns to annotate" in result.output and "$0.00" in result.output
        assert "300 tokens in and 30 out, $0.0004" in result.output
        result = CliRunner().invoke(app, [*map(str, arguments), "--max-cost", "1"])
        assert isinstance(result.exception, ThanosError) and "--price" in str(result.exception)


def test_workers_never_exceed_the_concurrency(tmp_path):
    flying, most, lock = [0], [0], threading.Lock()

    def answer(body):
        with lock:
            flying[0] += 1
            most[0] = max(most[0], flying[0])
        time.sleep(0.01)
        with lock:
            flying[0] -= 1
        return good(body)

    with chat_server(answer) as (url, _):
        annotate(tmp_path, url, [turn(n) for n in range(60)], concurrency=5)
    assert most[0] == 5


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_goes_on_with_the_same_command(tmp_path, how):
    rows = [turn(n) for n in range(120)]
    source, output = write_rows(tmp_path / "t.jsonl", rows), tmp_path / "o.jsonl"
    asked, lock = [], threading.Lock()

    def answer(body):
        with lock:
            asked.append(body["messages"][1]["content"])
        time.sleep(0.05)
        return good(body)

    with chat_server(answer) as (url, _):
        command = [sys.executable, "-m", "thanos", "annotate", "run", source, "-o", output, "-m", "openai/m"]
        command = [*map(str, command), "--base-url", url, "--concurrency", "4"]
        first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while len(asked) < 30 and first.poll() is None:
            time.sleep(0.01)
        first.send_signal(how)
        _, said = first.communicate()
        done, before = len(output.read_text().splitlines()), len(asked)
        assert 20 <= done < 120
        if how == signal.SIGINT:  # what was in flight is finished and written
            assert first.returncode == 130 and "the same command goes on" in said and done == before
        second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert "were there before" in second.stderr
    assert sorted(row["line"] for row in read_jsonl(output)) == list(range(1, 121))
    # Only what was in flight when the first run was killed is asked twice.
    assert 120 <= len(asked) <= 124
