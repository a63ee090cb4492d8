"""Replies without an upstream: from the embedded chat model, and from a chat endpoint as the responder."""

import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thanos_server import metric, planning_settings, post, thanos_server, wait_for
from upstream_server import upstream_server

from thanos.errors import ThanosError
from thanos.serve import ServeSettings
from thanos.serve.app import create_app
from thanos.serve.completion import until_stop

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "My dog died."}]


@pytest.fixture(scope="module")
def upstream():
    with upstream_server() as seen:
        yield seen


@pytest.fixture(scope="module")
def embedded(upstream):
    with thanos_server(planning_settings(upstream, upstream=None, plan_timeout=5, timeout=30)) as url:
        yield url


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def test_the_embedded_model_replies_streaming_and_not(embedded):
    chat = client(embedded).chat.completions
    (model,) = client(embedded).models.list()
    fields = {"model": model.id, "messages": CHAT, "max_tokens": 12}
    reply = chat.create(**fields)
    assert reply.model == "embedded/base" and reply.choices[0].message.content
    assert reply.usage.completion_tokens <= 12 and reply.thanos["planned"]
    chunks = list(chat.create(**fields, stream=True))
    assert chunks[0].thanos["skill"] == "Empathy" and len(chunks) > 3
    assert chunks[-1].choices[0].finish_reason == "stop"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == reply.choices[0].message.content


def test_the_model_is_told_the_plan(embedded):
    body = {"model": "embedded/base", "messages": CHAT, "max_tokens": 1}
    asked = lambda ours: post(f"{embedded}/v1/chat/completions", body | {"thanos": ours})[1]["usage"]["prompt_tokens"]
    assert asked({"plan": False}) < asked({"arm": "explanation"}) < asked({"arm": "both"})


def test_replies_that_are_asked_for_together_are_batched(embedded):
    body = {"model": "embedded/base", "messages": CHAT, "max_tokens": 4}
    batches = lambda: metric(embedded, 'thanos_batch_rows_count{work="reply"}')
    before = batches()
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(post, f"{embedded}/v1/chat/completions", body) for _ in range(6)]
        texts = {answer.result()[1]["choices"][0]["message"]["content"] for answer in answers}
    assert len(texts) == 1
    assert 0 < batches() - before < 6


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found"),
        ({"model": None}, 404, "model_not_found"),
        ({"n": 2}, 400, "unsupported"),
        ({"tool_choice": "required"}, 400, "unsupported"),
        ({"stream": 1}, 400, "invalid_request"),
        ({"max_tokens": 0}, 400, "invalid_request"),
        ({"max_tokens": 2.5}, 400, "invalid_request"),
        ({"temperature": "hot"}, 400, "invalid_request"),
        ({"temperature": 3}, 400, "invalid_request"),
        ({"seed": -1}, 400, "invalid_request"),
        ({"stop": [1]}, 400, "invalid_request"),
        ({"messages": []}, 400, "invalid_messages"),
        ({"messages": "Hello."}, 400, "invalid_messages"),
    ],
)
def test_what_this_model_cannot_do_is_said(embedded, changes, status, code):
    body = {"model": "embedded/base", "messages": CHAT} | changes
    got, answer, _ = post(f"{embedded}/v1/chat/completions", body)
    assert (got, answer["error"]["code"]) == (status, code)


def test_a_long_chat_with_a_large_reply_still_fits(embedded):
    messages = [{"role": ("user", "assistant")[i % 2], "content": f"Message {i}. " * 40} for i in range(41)]
    body = {"model": "embedded/base", "messages": messages, "max_tokens": 100_000, "stop": [" "]}
    with client(embedded).chat.completions.create(**body, stream=True) as chunks:
        assert next(iter(chunks)).choices[0].delta.role == "assistant"


def test_a_client_that_goes_stops_the_writing(embedded):
    stream = client(embedded).chat.completions.create(
        model="embedded/base", messages=CHAT, stream=True, max_tokens=1000, temperature=1.5, seed=3
    )
    next(iter(stream))
    stream.close()
    begun = time.monotonic()
    body = {"model": "embedded/base", "messages": CHAT, "max_tokens": 1}
    assert post(f"{embedded}/v1/chat/completions", body)[0] == 200
    assert time.monotonic() - begun < 5
    wait_for(lambda: metric(embedded, "thanos_requests_in_flight") == 0)


def test_a_responder_elsewhere_is_an_upstream():
    with pytest.raises(ThanosError, match="--upstream"):
        create_app(ServeSettings(responder="openai/m"))


@given(st.lists(st.text("ab.", max_size=4)), st.lists(st.text("ab.", min_size=1, max_size=3), max_size=3))
def test_a_stop_ends_the_text_wherever_the_pieces_are_cut(pieces, stops):
    whole = "".join(pieces)
    expected = whole[: min((whole.find(stop) for stop in stops if stop in whole), default=len(whole))]
    assert "".join(until_stop(pieces, tuple(stops))) == expected
