"""A conversation in a terminal, on a real file, with a real server that plans and replies."""

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from itertools import pairwise

import pytest
from chat_server import chat_server, completion, failure
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from test_predict_command import COMMAND, run
from test_streaming import events

from thanos import Responder, Thanos, ThanosError
from thanos.chat import History, Session, chat
from thanos.chat.screen import Screen, Wrapped

THOUGHT = "Ana is proud, and I'd like to hear all about it."


def answer(body):
    """Streamed requests ask for a reply, the others for a plan."""
    if body.get("stream"):
        return events("Ben: Wonder", "ful! When do ", "you start?", "\nAna: Monday.")
    return completion(f"{THOUGHT} [RESULT SKILL] Active Listening")


@contextmanager
def session(path, respond=answer):
    with chat_server(respond) as (url, seen):
        thanos = Thanos("openai/m", base_url=url, retries=0)
        session = Session(thanos, Responder("openai/r", base_url=url, retries=0), History(path), "Ana", "Ben")
        try:
            yield session, seen
        finally:
            session.close()


def converse(session: Session, *lines: str, quiet: bool = False, width: int = 80) -> str:
    screen = Screen(Console(file=io.StringIO(), width=width, highlight=False))
    chat(session, screen, quiet, iter(lines))
    return screen.console.file.getvalue()


def test_a_thought_stands_above_the_reply(tmp_path):
    with session(tmp_path / "chat.jsonl") as (talk, seen):
        shown = converse(talk, "I got the job!", "", "/quit", "never read")
    assert [line.rstrip() for line in shown.splitlines()][1:] == [
        f"  {THOUGHT}",
        "  Active Listening",
        "Ben: Wonderful! When do you start?",
    ]
    assert [body.get("stream") for body in seen] == [None, True]
    assert "Show that you follow" in seen[1]["messages"][0]["content"]


def test_quiet_hides_the_thought_and_why_tells_it(tmp_path):
    with session(tmp_path / "chat.jsonl") as (talk, _):
        shown = converse(talk, "I got the job!", quiet=True)
        why = converse(talk, "/why")
    assert THOUGHT not in shown and "Wonderful" in shown
    assert THOUGHT in why and "Active Listening: Show that you follow" in why


def test_a_conversation_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "deep" / "chat.jsonl"
    with session(path) as (talk, _):
        converse(talk, "/context Ana and Ben share a flat.", "I got the job!", "Oh dear.", "/undo")
    with session(path) as (talk, seen):
        assert [turn.said.text for turn in talk.history.turns] == ["I got the job!", "Wonderful! When do you start?"]
        assert talk.history.turns[1].thought.explanation == THOUGHT
        shown = converse(talk, "Monday!")
    assert "going on after 2 turns" in shown and "Ana: I got the job!" in shown
    sent = seen[1]["messages"]
    assert "Ana and Ben share a flat." in sent[0]["content"]
    assert [m["content"] for m in sent[1:]] == ["I got the job!", "Wonderful! When do you start?", "Monday!"]


def test_a_new_conversation_keeps_the_old_one_in_the_file(tmp_path):
    path = tmp_path / "chat.jsonl"
    with session(path) as (talk, _):
        converse(talk, "/context Friends.", "I got the job!")
        talk.history.begin_anew()
    history = History(path)
    assert (history.turns, history.context) == ([], "")
    assert "I got the job!" in path.read_text()


def test_a_history_cut_short_by_a_kill_loses_its_last_line_alone(tmp_path):
    path = tmp_path / "chat.jsonl"
    with session(path) as (talk, _):
        converse(talk, "I got the job!")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "turn", "speak')
    assert len(History(path).turns) == 2
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["hello", "[1]", '{"id": 3}', '{"event": "turn"}', '{"event": "dance"}'])
def test_a_file_that_is_no_history_is_left_alone(tmp_path, line):
    path = tmp_path / "other.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(ThanosError, match="line 1 isn't of a chat"):
        History(path)
    assert path.read_text() == f"{line}\n"


def test_half_an_emoji_does_no_harm(tmp_path):
    with session(
        tmp_path / "chat.jsonl", lambda b: events("Hey \ud83d", "\ude00!") if b.get("stream") else answer(b)
    ) as (
        talk,
        _,
    ):
        assert "Ben: Hey 😀!" in converse(talk, "/context \udc80", "Hi \udcff")
    assert len(History(tmp_path / "chat.jsonl").turns) == 2


def test_without_a_plan_the_reply_comes_all_the_same(tmp_path):
    with session(tmp_path / "chat.jsonl", lambda b: answer(b) if b.get("stream") else failure(500, "down")) as (
        talk,
        seen,
    ):
        shown = converse(talk, "I got the job!", "/why")
    assert "no plan: HTTP 500: down" in shown and "Ben: Wonderful!" in shown
    assert shown.count("no plan") == 2
    assert "before you speak" not in seen[-1]["messages"][0]["content"]


def test_without_a_reply_the_turn_is_taken_back(tmp_path):
    with session(tmp_path / "chat.jsonl", lambda b: failure(500, "down") if b.get("stream") else answer(b)) as (
        talk,
        _,
    ):
        shown = converse(talk, "I got the job!")
        assert talk.history.turns == []
    assert "no reply:" in shown and "HTTP 500: down" in shown and "taken back" in shown


def test_a_reply_that_breaks_off_is_kept_as_far_as_it_came(tmp_path):
    broken = events("Wonderful! When do", " you", end=False) + b'data: {"error": {"message": "out of memory"}}\n\n'
    with session(tmp_path / "chat.jsonl", lambda b: broken if b.get("stream") else answer(b)) as (talk, _):
        shown = converse(talk, "I got the job!")
        assert talk.history.turns[-1].said.text.startswith("Wonderful!")
        assert "broke off" in talk.history.turns[-1].note
    assert " …" in shown


def test_commands(tmp_path):
    with session(tmp_path / "chat.jsonl") as (talk, seen):
        shown = converse(talk, "/why", "/undo", "/context", "/context Friends.", "/wyh", "/help", "/quit")
    for words in (
        "no reply yet",
        "nothing to take back",
        "no context yet",
        "Friends.",
        "no command /wyh; /why?",
        "Ctrl-D",
    ):
        assert words in shown
    assert not seen


def test_escape_sequences_never_reach_the_terminal(tmp_path):
    evil = "\x1b]0;owned\x07Wonder\x9bful\x1b[2J"
    respond = lambda b: events(evil) if b.get("stream") else completion(f"{evil} [RESULT SKILL] Empathy")
    with session(tmp_path / "chat.jsonl", respond) as (talk, _):
        shown = converse(talk, "Hi", "/why") + converse(talk)
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)


@pytest.mark.parametrize("width", [12, 24, 33])
def test_nothing_is_wider_than_a_narrow_terminal(tmp_path, width):
    path = tmp_path / "chat.jsonl"
    with session(path) as (talk, _):
        file = io.StringIO()
        screen = Screen(Console(file=file, width=width, force_terminal=True, color_system=None, highlight=False))
        lines = ["I got the job!", "/why", "/help", "/context A long story about two people who share a flat."]
        chat(talk, screen, lines=iter(lines))
    for line in file.getvalue().replace("\x1b[?25l", "").replace("\x1b[?25h", "").splitlines():
        assert cell_len(line.split("\x1b")[0].rstrip()) <= width, line


@given(st.text("ab \n界", max_size=60), st.lists(st.integers(1, 60), max_size=6), st.integers(6, 20))
def test_wrapped_text_keeps_its_words(text, cuts, width):
    out = io.StringIO()
    wrapped = Wrapped(out.write, width)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(places):
        wrapped.feed(text[start:end])
    wrapped.end()
    assert out.getvalue().split() == text.split()
    for line in out.getvalue().splitlines():
        assert cell_len(line) <= width or len(line.split()) == 1


def read_until(terminal: int, *words: bytes, seconds: float = 20) -> bytes:
    """What the terminal shows until the words have come, one after the other."""
    shown, deadline = b"", time.time() + seconds
    wanted = re.compile(b".*?".join(map(re.escape, words)), re.S)
    while not wanted.search(shown):
        assert time.time() < deadline, shown.decode(errors="replace")
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536)
    return shown


def test_in_a_real_terminal(tmp_path):
    path = tmp_path / "chat.jsonl"
    gate = []

    def slow(body):
        if body.get("stream") and "wait" in body["messages"][-1]["content"]:
            gate.append(True)
            time.sleep(3)
        return answer(body)

    with chat_server(slow) as (url, _):
        mine, theirs = pty.openpty()
        models = ["-m", "openai/m", "-r", "openai/r", "--base-url", url, "--responder-base-url", url]
        command = [*COMMAND, "chat", *models, "--history", str(path), "--you", "Ana", "--other", "Ben"]
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60"}
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        read_until(mine, b"Ana: ")
        os.write(mine, b"I got the job!\n")
        shown = read_until(mine, b"When do you start?", b"Ana: ")
        assert b"\x1b[2" in shown and b"Active Listening" in shown  # dimmed
        os.write(mine, b"wait\n")
        while not gate:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)  # what Ctrl-C does
        read_until(mine, b"taken back", b"Ana: ")
        os.write(mine, b"\x04")  # Ctrl-D
        assert process.wait(20) == 0
        os.close(mine)
    assert len(History(path).turns) == 2


def test_lines_from_a_pipe(tmp_path):
    path = tmp_path / "chat.jsonl"
    with chat_server(answer) as (url, _):
        models = ["-m", "openai/m", "-r", "openai/r", "--base-url", url, "--responder-base-url", url]
        done = run(
            "chat",
            *models,
            "--history",
            str(path),
            "--you",
            "Ana",
            "--other",
            "Ben",
            "--quiet",
            input="I got the job!\n",
        )
        again = run("chat", *models, "--history", str(path), "--new", "--context", "Friends.", input="/context\n")
    assert done.stdout.splitlines()[1:] == ["Ben: Wonderful! When do you start?"], done.stderr
    assert "going on" not in again.stdout and again.stdout.count("Friends.") == 2
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["turn", "turn", "new", "context"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--you", "Ben", "--other", "Ben"], "two different names"), (["--arm", "none"], "unknown arm")],
)
def test_what_can_be_mended_is_one_line(tmp_path, arguments, says):
    done = run("chat", *arguments, "--history", str(tmp_path / "chat.jsonl"), input="")
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.strip().splitlines()) == 1
