"""The server over real HTTP, with the official client, in front of a real upstream that misbehaves on request."""

import json
import re
import socket
import time
from urllib.request import Request, urlopen

import openai
import pytest
from thanos_server import get, metric, planning_settings, post, thanos_server, wait_for
from upstream_server import SILENCE, WORDS, upstream_server

from thanos.respond import instruction
from thanos.skills import Skill

REPLY = "".join(WORDS)
SAD = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "My dog died."}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture(scope="module")
def upstream():
    with upstream_server() as seen:
        yield seen


@pytest.fixture(scope="module")
def server(upstream):
    with thanos_server(planning_settings(upstream)) as url:
        yield url


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server}/v1", api_key="caller", max_retries=0) as client:
        yield client


# The drop-in proxy


def test_the_official_client_gets_the_reply_and_the_plan(client, upstream):
    reply = client.chat.completions.create(model="m", messages=SAD)
    assert reply.choices[0].message.content == REPLY
    assert reply.thanos["planned"] and reply.thanos["skill"] == "Empathy"
    assert reply.thanos["explanation"] == "He lost a friend."
    assert reply.thanos["category"] == Skill.EMPATHY.category
    sent = upstream.bodies[-1]
    assert sent["messages"][1:] == SAD[1:]
    assert sent["messages"][0]["content"].startswith("Be brief.\n\n")
    assert instruction(Skill.EMPATHY) in sent["messages"][0]["content"]
    assert "He lost a friend." in sent["messages"][0]["content"]


def test_a_stream_comes_word_by_word_and_its_first_chunk_carries_the_plan(client):
    chunks = list(client.chat.completions.create(model="m", messages=SAD, stream=True))
    assert [c.choices[0].delta.content for c in chunks] == ["", *WORDS, None]
    assert chunks[0].thanos["skill"] == "Empathy"
    assert not any("thanos" in (c.model_extra or {}) for c in chunks[1:])


def test_tools_stream_and_not(client, upstream):
    reply = client.chat.completions.create(model="m", messages=SAD, tools=TOOLS, tool_choice="auto")
    assert reply.choices[0].message.tool_calls[0].function.name == "look"
    assert upstream.bodies[-1]["tools"] == TOOLS and upstream.bodies[-1]["tool_choice"] == "auto"
    with client.chat.completions.stream(model="m", messages=SAD, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    assert json.loads(final.choices[0].message.tool_calls[0].function.arguments) == {"what": "dog"}


def test_every_other_field_reaches_the_upstream_unchanged(client, upstream):
    call = {"id": "call-1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Look: "}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call-1", "content": "a dog"},
        {"role": "user", "content": "And?", "name": "Tom"},
    ]
    fields = {"n": 2, "stop": ["\n", "Tom:"], "temperature": 0.25, "logit_bias": {"5": -100}, "user": "u-1"}
    extra = {"custom": {"deep": [1, None, "é"]}, "thanos": {"social_context": "Tom's dog was old."}}
    reply = client.chat.completions.create(model="m", messages=messages, extra_body=extra, **fields)
    assert len(reply.choices) == 2
    sent = upstream.bodies[-1]
    assert sent["messages"][1:] == messages
    assert sent["messages"][0]["role"] == "system"
    assert {name: sent[name] for name in fields} == fields
    assert sent["custom"] == extra["custom"] and "thanos" not in sent
    assert "Tom's dog was old." in str(upstream.plans[-1]["messages"])


def test_half_a_surrogate_pair_passes_both_ways(server, upstream):
    body = {"model": "m", "messages": [{"role": "user", "content": "\ud83d"}], "echo": True}
    status, reply, _ = post(f"{server}/v1/chat/completions", body)
    assert status == 200 and reply["choices"][0]["message"]["content"] == "\ud83d"
    assert upstream.bodies[-1]["messages"][1:] == body["messages"]
    assert reply["thanos"]["planned"]


def test_a_system_message_in_parts_gets_one_more(server, upstream):
    parts = [{"type": "text", "text": "Be brief."}]
    post(f"{server}/v1/chat/completions", {"model": "m", "messages": [{"role": "system", "content": parts}, SAD[1]]})
    content = upstream.bodies[-1]["messages"][0]["content"]
    assert content[0] == parts[0] and instruction(Skill.EMPATHY) in content[1]["text"]


@pytest.mark.parametrize(
    ("arm", "skill", "explanation"), [("skill", True, False), ("explanation", False, True), ("both", True, True)]
)
def test_an_arm_says_what_the_chat_model_is_told(server, upstream, arm, skill, explanation):
    body = {"model": "m", "messages": SAD, "thanos": {"arm": arm}}
    _, reply, _ = post(f"{server}/v1/chat/completions", body)
    told = upstream.bodies[-1]["messages"][0]["content"]
    assert (instruction(Skill.EMPATHY) in told) == skill
    assert ("He lost a friend." in told) == explanation
    assert reply["thanos"]["skill"] == "Empathy" and reply["thanos"]["explanation"]


def test_without_a_plan_the_request_is_the_callers_own(server, upstream):
    body = {"model": "m", "messages": SAD, "temperature": 0.5}
    before = len(upstream.plans)
    _, reply, _ = post(f"{server}/v1/chat/completions", body | {"thanos": {"plan": False}})
    assert upstream.bodies[-1] == body
    assert reply["thanos"]["planned"] is False and "no plan" in reply["thanos"]["reason"]
    assert len(upstream.plans) == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("PLAN-SLOWLY", "longer than 0.4 s"),
        ("PLAN-FAILS", "planner broken"),
        ("PLAN-NONSENSE", "no skill"),
    ],
)
def test_a_failed_or_slow_plan_leaves_the_reply_unplanned(client, upstream, words, reason):
    messages = [{"role": "user", "content": words}]
    begun = time.monotonic()
    reply = client.chat.completions.create(model="m", messages=messages)
    assert time.monotonic() - begun < 0.9
    assert reply.choices[0].message.content == REPLY
    assert reply.thanos["planned"] is False and reason in reply.thanos["reason"]
    assert upstream.bodies[-1]["messages"] == messages
    first = next(iter(client.chat.completions.create(model="m", messages=messages, stream=True)))
    assert first.thanos["planned"] is False


def test_models_and_unknown_models_are_the_upstreams(client):
    assert [model.id for model in client.models.list()] == ["m"]
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-9'"):
        client.chat.completions.create(model="gpt-9", messages=SAD)


def test_the_upstreams_key_is_sent_and_the_callers_is_not(client, upstream):
    client.chat.completions.create(model="m", messages=SAD)
    assert upstream.headers[-1]["authorization"] == "Bearer up-secret"
    assert "caller" not in str(upstream.headers[-1])


def test_without_keys_of_its_own_the_proxy_sends_the_callers_on(upstream):
    with thanos_server(planning_settings(upstream, upstream_key=None)) as url:
        post(f"{url}/v1/chat/completions", {"model": "m", "messages": SAD}, {"Authorization": "Bearer mine"})
    assert upstream.headers[-1]["authorization"] == "Bearer mine"
    with thanos_server(planning_settings(upstream, upstream_key=None, api_keys=("mine",))) as url:
        post(f"{url}/v1/chat/completions", {"model": "m", "messages": SAD}, {"Authorization": "Bearer mine"})
    assert "authorization" not in upstream.headers[-1]


# Faults of the upstream


def test_upstream_down(upstream):
    with socket.socket() as taken:  # bound, not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        with thanos_server(
            planning_settings(upstream, upstream=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        ) as url:
            status, answer, _ = post(f"{url}/v1/chat/completions", {"model": "m", "messages": SAD, "stream": True})
            assert (status, answer["error"]["code"]) == (502, "upstream_unreachable")
            assert get(f"{url}/v1/models")[0] == 502
            assert metric(url, 'thanos_upstream_failures_total{kind="unreachable"}') == 2


@pytest.mark.parametrize("stream", [False, True])
def test_upstream_slow(server, stream):
    begun = time.monotonic()
    status, answer, _ = post(f"{server}/v1/chat/completions", {"model": "slow", "messages": SAD, "stream": stream})
    assert (status, answer["error"]["code"]) == (504, "upstream_timeout")
    assert time.monotonic() - begun < SILENCE


@pytest.mark.parametrize(
    ("model", "message"),
    [("stall", "was silent for 0.5 s"), ("cut", "broke off"), ("short", "broke off"), ("error-event", "out of memory")],
)
def test_a_stream_that_goes_wrong_ends_in_an_error_event(client, model, message):
    words = []
    with pytest.raises(openai.APIError, match=message):
        for chunk in client.chat.completions.create(model=model, messages=SAD, stream=True):
            words.append(chunk.choices[0].delta.content)
    assert words[:3] == ["", *WORDS[:2]]


def test_no_half_event_reaches_the_client(server):
    body = json.dumps({"model": "cut", "messages": SAD, "stream": True}).encode()
    request = Request(f"{server}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=5) as answer:
        events = answer.read().decode().split("\n\n")
    assert events[0] == ": a comment first" and events[-1] == ""
    values = [json.loads(event.removeprefix("data: ")) for event in events[1:-1]]
    assert "thanos" in values[0] and values[-1]["error"]["code"] == "upstream_cut"


def test_upstream_cutting_a_whole_answer(server):
    status, answer, _ = post(f"{server}/v1/chat/completions", {"model": "cut", "messages": SAD})
    assert (status, answer["error"]["code"]) == (502, "upstream_cut")


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("refused", 502, "upstream_key"), ("redirect", 502, "upstream_redirect"), ("html", 503, "upstream_nonsense")],
)
def test_answers_that_are_no_answers(server, model, status, code):
    got, answer, _ = post(f"{server}/v1/chat/completions", {"model": model, "messages": SAD})
    assert (got, answer["error"]["code"]) == (status, code)
    assert "up-secret" not in str(answer)


def test_a_client_that_goes_in_mid_stream_cancels_the_upstream_call(client, server, upstream):
    upstream.gone.clear()
    stream = client.chat.completions.create(model="endless", messages=SAD, stream=True)
    for _, chunk in zip(range(8), stream, strict=False):
        assert chunk.choices
    assert not upstream.gone.is_set()
    stream.close()
    assert upstream.gone.wait(2)
    wait_for(lambda: metric(server, "thanos_requests_in_flight") == 0)


def test_a_client_that_goes_while_it_waits_frees_its_place(server, upstream):
    with socket.create_connection(server.removeprefix("http://").split(":")) as connection:
        body = json.dumps({"model": "slow", "messages": SAD}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        wait_for(lambda: metric(server, "thanos_requests_in_flight") == 1)
    wait_for(lambda: metric(server, "thanos_requests_in_flight") == 0, 0.4)


def test_the_page_of_the_api_needs_no_other_host(server):
    status, page = get(f"{server}/docs")
    assert status == 200 and "openapi.json" in page
    files = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(files) >= 2
    for file in files:
        assert file.startswith("/") and get(server + file)[0] == 200


# Skills-of-mind


def test_one_dialogue(server):
    row = {"id": "d1", "social_context": "Old friends.", "turns": [{"speaker": "Tom", "text": "My dog died."}]}
    status, answer, _ = post(f"{server}/v1/skill-of-mind", row)
    assert status == 200
    assert answer["id"] == "d1" and answer["skill"] == "Empathy" and answer["valid"]
    assert answer["model"] == "openai/plan" and answer["mode"] == "explain"


@pytest.mark.parametrize(
    "row",
    [
        {"dialogue": [{"speaker": "A", "utter": "Hi."}], "social_context_prompt": "x"},
        {"messages": SAD},
        {"turns": ["A: Hi.", "B: Hello."]},
        {"turns": "A: Hi.\nB: Hello."},
    ],
)
def test_every_form_of_row(server, row):
    assert post(f"{server}/v1/skill-of-mind", row)[1]["skill"] == "Empathy"


def test_a_bad_row_never_spoils_the_others(server):
    good = lambda skill: {"turns": [{"speaker": "A", "text": f"PLAN:{skill}"}]}
    bad = [{"turns": []}, 5, {"turns": [{"text": "x"}]}, {"turns": [{"speaker": "\n", "text": "x"}]}]
    failing = {"turns": [{"speaker": "A", "text": "PLAN-FAILS"}]}
    _, answer, _ = post(f"{server}/v1/skill-of-mind", {"dialogues": [good("Ethics"), *bad, failing, good("Rhetoric")]})
    results = answer["results"]
    assert [result.get("skill") for result in results] == ["Ethics", None, None, None, None, None, "Rhetoric"]
    assert all(result["error"] for result in results[1:-1])
    assert "planner broken" in results[-2]["error"]


def test_a_trace_holds_one_for_every_turn(server):
    turns = [{"speaker": "AB"[i % 2], "text": f"PLAN:{skill}"} for i, skill in enumerate(("Ethics", "Rhetoric"))]
    _, answer, _ = post(f"{server}/v1/skill-of-mind", {"turns": turns[:1] * 3, "trace": True})
    assert [result["skill"] for result in answer["results"]] == ["Ethics"] * 3
    _, answer, _ = post(f"{server}/v1/skill-of-mind", {"dialogues": [{"turns": turns[:1]}, {}], "trace": True})
    assert answer["results"][0]["results"][0]["skill"] == "Ethics" and answer["results"][1]["error"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "no turns"),
        ({"dialogues": []}, "expected a list"),
        ({"dialogues": [{}] * 257}, "at most 256"),
        ({"turns": ["A: x"] * 300, "trace": True}, "at most 256"),
        ({"turns": ["A: x"], "trace": 1}, "true or false"),
        ({"dialogues": [{}], "social_context": "x"}, "into each dialogue"),
    ],
)
def test_bad_requests_say_what_is_wrong(server, body, message):
    status, answer, _ = post(f"{server}/v1/skill-of-mind", body)
    assert status == 400 and message in answer["error"]["message"]


def test_a_slow_planner_is_a_504(server):
    status, answer, _ = post(f"{server}/v1/skill-of-mind", {"turns": ["A: PLAN-SLOWLY"]})
    assert (status, answer["error"]["code"]) == (504, "timeout")


def test_a_planner_that_refuses_a_field_is_asked_without_it(upstream):
    upstream.refused_field = "seed"
    try:
        with thanos_server(planning_settings(upstream, plan_timeout=5, timeout=5)) as url:
            asked = len(upstream.plans)
            for _ in range(2):
                assert post(f"{url}/v1/skill-of-mind", {"turns": ["A: PLAN:Ethics"]})[1]["skill"] == "Ethics"
    finally:
        upstream.refused_field = ""
    # Two tries are refused before the field is left out; the second dialogue is answered at once.
    assert ["seed" in body for body in upstream.plans[asked:]] == [True, True, False, False]


def test_plans_that_arrive_together_are_made_together(server, upstream):
    upstream.most_plans = 0
    rows = [{"turns": ["A: PLAN:Ethics"]}] * 16
    post(f"{server}/v1/skill-of-mind", {"dialogues": rows})
    assert upstream.most_plans > 4
