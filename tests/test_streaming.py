"""Text handed on while it is written: embedded, over a server, and as a reply."""

import json

import pytest
from chat_server import chat_server, failure

from thanos import Dialogue, Responder, ThanosError
from thanos.engines import Request, StreamingEngine, load_engine

TALK = Dialogue.model_validate({"turns": [{"speaker": "Ana", "text": "I got the job!"}], "meta": {"speaker": "Ben"}})
ASK = Request(0, [{"role": "user", "content": "Name three colours, each with a smiley."}], 24)


def events(*pieces, end=True) -> bytes:
    chunks = [
        {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": p}}]}
        for p in pieces
    ]
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"] * end
    return "".join(lines).encode()


@pytest.fixture(scope="module")
def embedded():
    engine = load_engine("embedded/base")
    yield engine
    engine.close()


def test_embedded_writes_the_same_text(embedded):
    assert isinstance(embedded, StreamingEngine)
    (whole,) = embedded.generate([ASK])
    pieces = list(embedded.stream(ASK))
    assert len(pieces) > 5
    assert "".join(pieces).strip() == whole.text
    # A stream that is left early leaves nothing behind.
    next(embedded.stream(ASK))
    assert next(embedded.generate([ASK])).text == whole.text


def test_a_reply_streams_from_the_embedded_engine(embedded):
    responder = Responder(engine=embedded, max_tokens=24)
    streamed = "".join(responder.stream(TALK))
    assert responder.respond(TALK).text in streamed  # the whole reply drops a sentence that ran out of room


def test_a_reply_streams_over_a_server():
    with chat_server(lambda body: events("Ben", ": Congrat", "ulations! When", " do you start?", "\nAna: Mon")) as (
        url,
        seen,
    ):
        with Responder("openai/m", base_url=url) as responder:
            assert "".join(responder.stream(TALK)) == "Congratulations! When do you start?"
    assert seen[0]["stream"] is True and seen[0]["max_tokens"] == responder.max_tokens


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (events(), "no reply"),
        (events("Well", end=False) + b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b"data: {not json\n\n", "broke off"),
        ((200, events("Well", end=False), 9999), "the server's stream broke off"),
        (failure(400, "no such thing"), "HTTP 400: no such thing"),
        (failure(401, "who are you?"), "who are you"),
    ],
)
def test_a_stream_that_fails_says_why_in_one_line(answer, says):
    with chat_server(lambda body: answer) as (url, _), Responder("openai/m", base_url=url, retries=0) as responder:
        with pytest.raises(ThanosError, match=says) as error:
            list(responder.stream(TALK))
    assert "\n" not in str(error.value)


def test_a_parameter_that_the_server_refuses_is_left_out():
    answer = lambda body: failure(400, "no seed here", param="seed") if "seed" in body else events("Hello.")
    with chat_server(answer) as (url, seen), Responder("openai/m", base_url=url) as responder:
        assert list(responder.stream(TALK)) == ["Hello."]
    assert len(seen) == 2


def test_no_server():
    with Responder("openai/m", base_url="http://127.0.0.1:9/v1", retries=0) as responder:
        with pytest.raises(ThanosError, match="can't reach http://127.0.0.1:9/v1/"):
            next(responder.stream(TALK))
