"""Keys, limits, shutdown and logs of the server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from thanos_server import get, metric, planning_settings, post, thanos_server, wait_for
from upstream_server import WORDS, upstream_server

from thanos.errors import ThanosError
from thanos.serve import ServeSettings
from thanos.serve.app import create_app
from thanos.serve.keys import KeyRing, read_keys

MEGABYTE = 1 << 20
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello."}]}


@pytest.fixture(scope="module")
def upstream():
    with upstream_server() as seen:
        yield seen


@pytest.fixture(scope="module")
def server(upstream):
    with thanos_server(planning_settings(upstream, api_keys=("first-key", "zweiter-schlüssel"))) as url:
        yield url


KEY = {"Authorization": "Bearer first-key"}


# Keys


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic first-key", "first-key", "Bearer \xff"])
def test_a_wrong_key_is_refused(server, header):
    headers = {"Authorization": header} if header is not None else {}
    for path in ("/v1/chat/completions", "/v1/skill-of-mind"):
        status, answer, got = post(server + path, HELLO, headers)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        assert got["www-authenticate"] == "Bearer"
    assert get(f"{server}/v1/models", headers)[0] == get(f"{server}/metrics", headers)[0] == 401
    assert get(f"{server}/health", headers)[0] == 200


def test_every_key_of_the_file_is_accepted(server):
    assert post(f"{server}/v1/chat/completions", HELLO, KEY)[0] == 200
    other = {"Authorization": "bearer zweiter-schlüssel".encode().decode("latin-1")}
    assert post(f"{server}/v1/chat/completions", HELLO, other)[0] == 200
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{server}/v1", api_key="x").models.list()


def test_keys_are_read_from_a_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# team one\n\n  abc \ndef\n")
    assert read_keys(path) == ("abc", "def")
    for content, message in (("# none\n", "no API key"), ("two words\n", "line 1: an API key has no blanks")):
        path.write_text(content)
        with pytest.raises(ThanosError, match=message):
            read_keys(path)
    with pytest.raises(ThanosError, match="no such file"):
        read_keys(tmp_path / "missing")


def test_keys_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    ring = KeyRing(("one", "two", "three"))
    assert ring.accepts(b"Bearer one") and len(compared) == 3
    assert all(len(a) == len(b) == 32 for a, b in compared)


# Bodies


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"text"', "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"thanos": 5}', "invalid_request"),
        (b'{"thanos": {"arm": "plain"}}', "invalid_request"),
        (b'{"thanos": {"plan": 1}}', "invalid_request"),
        (b'{"thanos": {"plam": true}}', "invalid_request"),
    ],
)
def test_malformed_bodies(server, body, code):
    status, answer, _ = post(f"{server}/v1/chat/completions", body, KEY)
    assert (status, answer["error"]["code"]) == (400, code)
    assert len(answer["error"]["message"]) < 300


def test_a_body_that_is_not_declared_as_json_is_refused(server):
    status, answer, _ = post(f"{server}/v1/skill-of-mind", HELLO, {**KEY, "Content-Type": "text/plain"})
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/skill-of-mind"])
@pytest.mark.parametrize("megabytes", [5, 40])
def test_a_body_that_is_too_large(server, path, megabytes):
    body = b'{"turns": ["' + b"x" * (megabytes * MEGABYTE) + b'"]}'
    try:
        status, answer, _ = post(server + path, body, KEY)
    except OSError:
        assert megabytes > 32  # so much is not even read: the connection is closed
        return
    assert (status, answer["error"]["code"]) == (413, "body_too_large")


def test_ten_thousand_messages(server, upstream):
    messages = [{"role": ("user", "assistant")[i % 2], "content": f"Message {i}."} for i in range(10_001)]
    status, reply, _ = post(f"{server}/v1/chat/completions", {"model": "m", "messages": messages}, KEY)
    assert status == 200 and reply["thanos"]["planned"]
    assert upstream.bodies[-1]["messages"][1:] == messages


def test_a_body_that_comes_too_slowly(server, monkeypatch):
    monkeypatch.setattr("thanos.serve.body.UPLOAD_SECONDS", 0.1)
    with _connection(server) as connection:
        connection.sendall(_head(100) + b'{"turns"')
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_wrong_paths_and_methods_are_answered_in_the_same_shape(server):
    for url, code in ((f"{server}/v1/nothing", "not_found"), (f"{server}/v1/chat/completions", "method_not_allowed")):
        assert json.loads(get(url, KEY)[1])["error"]["code"] == code


# Concurrency


def test_more_requests_than_allowed_get_429(upstream):
    with thanos_server(planning_settings(upstream, max_concurrency=3)) as url:
        with ThreadPoolExecutor(8) as pool:
            slow = HELLO | {"model": "slow"}
            running = [pool.submit(post, f"{url}/v1/chat/completions", slow) for _ in range(3)]
            wait_for(lambda: metric(url, "thanos_requests_in_flight") == 3)
            status, answer, headers = post(f"{url}/v1/chat/completions", HELLO)
            assert (status, answer["error"]["type"], headers["retry-after"]) == (429, "rate_limit_error", "1")
            assert get(f"{url}/health")[0] == 200
            [future.result() for future in running]
        assert post(f"{url}/v1/chat/completions", HELLO)[0] == 200
        assert metric(url, 'thanos_requests_total{path="/v1/chat/completions",status="429"}') == 1


def test_a_client_that_takes_nothing_is_let_go(upstream):
    with thanos_server(planning_settings(upstream, timeout=0.3)) as url:
        body = json.dumps({**HELLO, "model": "flood", "stream": True, "thanos": {"plan": False}}).encode()
        upstream.gone.clear()
        with _connection(url) as connection:
            connection.sendall(_head(len(body)) + body)
            assert upstream.gone.wait(5)
            wait_for(lambda: metric(url, "thanos_requests_in_flight") == 0)


# The whole command


@pytest.fixture
def command(upstream, tmp_path):
    """`thanos serve` as a process; yields (address, process, what it logged so far)."""
    keys = tmp_path / "keys"
    keys.write_text("first-key\n")
    arguments = ["--port", "0", "--upstream", upstream.url, "--api-key-file", str(keys)]
    arguments += ["--model", "openai/plan", "--base-url", upstream.url, "--timeout", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "thanos", "serve", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"THANOS_UPSTREAM_KEY": "up-secret", "OPENAI_API_KEY": "planner-secret"},
        text=True,
    )
    lines: list[str] = []
    address = re.search(r"http://\S+", process.stderr.readline()).group()
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    yield address, process, lines
    process.kill()
    process.wait()
    reader.join()


def test_streams_in_flight_finish_when_the_server_is_told_to_stop(command):
    url, process, lines = command
    wait_for(lambda: _is_up(url))
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="first-key", max_retries=0)
    stream = client.chat.completions.create(**HELLO | {"model": "unhurried"}, stream=True)
    words = [next(stream).choices[0].delta.content]
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: not _is_up(url))
    words += [chunk.choices[0].delta.content for chunk in stream]
    assert "".join(word or "" for word in words) == "".join(WORDS)
    assert process.wait(5) == 0
    assert not [line for line in lines if "Traceback" in line]


def test_no_secret_reaches_the_log(command):
    url, process, lines = command
    wait_for(lambda: _is_up(url))
    for model in ("m", "refused", "cut", "html", "redirect", "gpt-9"):
        for words in ("my-private-words", "my-private-words PLAN-FAILS", "my-private-words PLAN-REFUSED"):
            body = {"model": model, "messages": [{"role": "user", "content": words}]}
            post(f"{url}/v1/chat/completions?key=query-secret", body, KEY)
    post(f"{url}/v1/chat/completions", HELLO, {"Authorization": "Bearer wrong-secret"})
    post(f"{url}/v1/skill-of-mind", {"turns": ["A: my-private-words PLAN-REFUSED"]}, KEY)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0
    assert not re.search("first-key|secret|my-private-words", "".join(lines))
    wait_for(lambda: "Incorrect API key: [hidden]" in "".join(lines))


def test_it_listens_on_loopback_unless_told(command):
    url, _, _ = command
    assert url.startswith("http://127.0.0.1:")


def test_what_cannot_be_is_said_in_one_line(tmp_path, upstream):
    run = lambda *arguments: subprocess.run(
        [sys.executable, "-m", "thanos", "serve", *arguments], capture_output=True, text=True, timeout=20
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run("--port", port)
    assert result.returncode == 2 and f"can't listen on 127.0.0.1 port {port}" in result.stderr
    result = run("--port", "0", "--api-key-file", str(tmp_path / "missing"))
    assert result.returncode == 2 and result.stderr.count("\n") == 1


@pytest.mark.parametrize("upstream_url", ["localhost:8000", "ftp://x/v1", "http://user:password@x/v1"])
def test_an_upstream_that_is_no_plain_url_is_refused(upstream_url):
    with pytest.raises(ThanosError, match="--upstream must") as refused:
        create_app(ServeSettings(upstream=upstream_url))
    assert "password@" not in str(refused.value)


def test_settings_do_not_show_their_secrets():
    assert "secret" not in repr(ServeSettings(upstream_key="a-secret", api_keys=("b-secret",)))


def _is_up(url: str) -> bool:
    try:
        return get(f"{url}/health")[0] == 200
    except OSError:
        return False


def _connection(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _head(length: int) -> bytes:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
    return (head + "Authorization: Bearer first-key\r\nContent-Type: application/json\r\n\r\n").encode()
