"""openai/...: against a real server on loopback that misbehaves in every way that endpoints do."""

import itertools
import threading
import time

import pytest
from chat_server import chat_server, completion, failure

from thanos import Dialogue, Thanos, ThanosError, Turn
from thanos.skills import Skill

GOOD = completion("I want to know more. [RESULT SKILL] Clarification")


def dialogue(text: str, id: str = "") -> Dialogue:
    return Dialogue(id=id, turns=[Turn(speaker="Tom", text=text)])


def thanos(url: str, **options) -> Thanos:
    return Thanos("openai/m", base_url=url, **{"retries": 1, "timeout": 5.0, **options})


def said(body: dict) -> str:
    return body["messages"][-1]["content"]


def test_prediction_and_request():
    with chat_server(lambda body: GOOD) as (url, seen):
        result = thanos(url).predict(dialogue("Hi"))
    assert (result.explanation, result.skill, result.valid) == ("I want to know more.", Skill.CLARIFICATION, True)
    assert result.scores == {}  # a chat endpoint can't tell them
    body = seen[0]
    assert body["model"] == "m" and body["temperature"] == 0.0 and body["seed"] == 0
    assert "- Empathy:" in body["messages"][0]["content"]  # zero-shot is the default prompt here


def test_many_keep_their_order_and_their_ids():
    def answer(body):
        n = int(said(body).split("number ")[1].split()[0])
        time.sleep(0.02 * (n % 3))
        return completion(f"Thought {n}. [RESULT SKILL] Empathy")

    with chat_server(answer) as (url, _):
        results = list(thanos(url, concurrency=8).predict_many(dialogue(f"number {n} here") for n in range(40)))
    assert [r.explanation for r in results] == [f"Thought {n}." for n in range(40)]


def test_requests_are_in_flight_together_but_not_more_than_asked():
    lock, now, most = threading.Lock(), 0, 0

    def answer(body):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return GOOD

    with chat_server(answer) as (url, _):
        list(thanos(url, concurrency=6).predict_many(dialogue("x") for _ in range(30)))
    assert 3 <= most <= 6


def test_answers_dont_wait_for_slow_input():
    got = []

    def slowly():
        for n in range(4):
            yield dialogue(f"number {n}")
            deadline = time.time() + 10
            while not seen[n:] and time.time() < deadline:
                time.sleep(0.01)
            time.sleep(0.3)
        assert len(got) >= 2

    with chat_server(lambda body: GOOD) as (url, seen):
        for prediction in thanos(url).stream(slowly()):
            got.append(prediction.index)
    assert got == [0, 1, 2, 3]


def test_input_is_read_only_as_far_as_needed():
    taken = itertools.count()
    with chat_server(lambda body: GOOD) as (url, _):
        stream = thanos(url, concurrency=2).predict_many(dialogue(f"{next(taken)}") for _ in itertools.count())
        next(stream)
        assert next(taken) <= 8
        stream.close()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_errors_are_tried_again(status):
    tries = itertools.count()
    with chat_server(lambda body: GOOD if next(tries) else failure(status, "busy")) as (url, seen):
        assert thanos(url).predict(dialogue("Hi")).valid
    assert len(seen) == 2


def test_a_row_that_keeps_failing_leaves_the_others_alone():
    with chat_server(lambda body: failure(500, "out of luck") if "bad" in said(body) else GOOD) as (url, _):
        results = list(thanos(url).predict_many([dialogue("good"), dialogue("bad"), dialogue("good")]))
    assert [r.valid for r in results] == [True, False, True]
    assert results[1].error == "HTTP 500: out of luck"


@pytest.mark.parametrize(
    "nonsense", [b"<html>hello</html>", b"{}", b"null", b'{"choices": []}', b'{"choices": [{"message": {}}]}', b"[1, 2"]
)
def test_nonsense_is_one_line(nonsense):
    with chat_server(lambda body: nonsense) as (url, _):
        with pytest.raises(ThanosError, match="the server's answer") as caught:
            thanos(url).predict(dialogue("Hi"))
    assert "\n" not in str(caught.value)


def test_a_server_that_stalls():
    with chat_server(lambda body: time.sleep(3)) as (url, _):
        with pytest.raises(ThanosError, match="no answer within 0.2 s, 2 times"):
            thanos(url, timeout=0.2).predict(dialogue("Hi"))


def test_a_server_that_is_down():
    with pytest.raises(ThanosError, match="can't reach http://127.0.0.1:9/v1/: .*is the server running"):
        thanos("http://127.0.0.1:9/v1", retries=0).predict(dialogue("Hi"))


@pytest.mark.parametrize(("status", "message"), [(401, "wrong key"), (404, "no model m"), (403, "not yours")])
def test_what_concerns_all_rows_stops_the_run(status, message):
    with chat_server(lambda body: failure(status, message)) as (url, seen):
        with pytest.raises(ThanosError, match=message):
            list(thanos(url, concurrency=1).predict_many(dialogue("Hi") for _ in range(50)))
    assert len(seen) < 10


def test_an_answer_without_a_skill_is_asked_for_in_structured_form():
    structured = completion('{"explanation": "I wonder.", "skill": "Empathy"}')
    with chat_server(lambda body: structured if "response_format" in body else completion("Well...")) as (url, seen):
        result = thanos(url).predict(dialogue("Hi"))
    assert (result.explanation, result.skill) == ("I wonder.", Skill.EMPATHY)
    assert seen[1]["response_format"]["json_schema"]["schema"]["properties"]["skill"]["enum"] == [
        s.value for s in Skill
    ]


def test_an_answer_without_a_skill_stays_invalid_where_there_is_no_structured_output():
    def answer(body):
        return failure(400, "response_format is not supported") if "response_format" in body else completion("Well...")

    with chat_server(answer) as (url, _):
        result = thanos(url).predict(dialogue("Hi"))
    assert (result.skill, result.valid, result.raw) == (None, False, "Well...")


def test_refused_parameters_are_left_out():
    def answer(body):
        if "temperature" in body:
            return failure(400, "Unsupported value", param="temperature", code="unsupported_value")
        return GOOD

    with chat_server(answer) as (url, seen):
        results = list(thanos(url, concurrency=1).predict_many([dialogue("a"), dialogue("b")]))
    assert all(r.valid for r in results) and len(seen) == 3


def test_samples_vote():
    names = itertools.cycle(["Empathy", "Empathy", "Ethics"])
    lock = threading.Lock()

    def answer(body):
        with lock:
            name = next(names)
        return completion(f"For {name}. [RESULT SKILL] {name}")

    with chat_server(answer) as (url, seen):
        result = thanos(url, samples=3, seed=7).predict(dialogue("Hi"))
    assert result.skill is Skill.EMPATHY and result.explanation == "For Empathy."
    assert result.scores == pytest.approx({"Empathy": 2 / 3, "Ethics": 1 / 3})
    assert sorted(body["seed"] for body in seen) == [7, 8, 9] and seen[0]["temperature"] == 0.9


def test_direct_mode_asks_for_the_name_alone():
    with chat_server(lambda body: completion("[RESULT SKILL] Empathy")) as (url, seen):
        result = thanos(url, mode="direct").predict(dialogue("Hi"))
    assert result.skill is Skill.EMPATHY and result.explanation == "" and result.valid
    assert "the name alone" in said(seen[0])


def test_no_key_for_the_hosted_api(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ThanosError, match="no API key: set OPENAI_API_KEY"):
        Thanos("openai/gpt-4o")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("nonsense", {}, "no model 'nonsense': use embedded, "),
        ("embeded", {}, "did you mean embedded"),
        ("opena/x", {}, "did you mean openai"),
        ("hf", {}, "no model 'hf'"),
        ("openai/m", {"adapter": "x", "base_url": "http://127.0.0.1:9"}, "openai has no option 'adapter'"),
        ("openai/m", {"base_ulr": "x"}, "did you mean 'base_url'"),
        ("openai/m", {"mode": "fast"}, "unknown mode 'fast'"),
    ],
)
def test_wrong_model_strings_and_options(model, options, message):
    with pytest.raises(ThanosError, match=message):
        Thanos(model, **options)
