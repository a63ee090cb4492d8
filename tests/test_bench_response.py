"""The task `response`: four arms from a real server, the same context in each, automatic scores and a judge."""

import json
import re
from collections import Counter

import pytest
import typer

pytest.importorskip("inspect_ai")

import source_rows
from annotated_rows import read_jsonl, write_rows
from chat_server import chat_server, completion, failure
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from thanos.bench.data import find_data
from thanos.bench.metrics.distinct import distinct
from thanos.bench.pair_judge import read_pair, read_verdict
from thanos.bench.tasks.reply_items import reply_items
from thanos.bench.tasks.reply_scores import metrics, score_replies
from thanos.cli.bench_response import response as response_command
from thanos.respond import ARMS

METADATA = {"speaker": "Bo", "reference": "I will fetch the ladder."}


@pytest.fixture
def data(tmp_path):
    """Three sets with dialogues of ours."""
    said = lambda n: [f"I lost key {n} .", f" Which key {n} ? ", f" The one of door {n} . ", f" Let's look {n} . "]
    sets = {
        "daily_dialog": [
            source_rows.daily_dialog(dialog=said(n), act=[1, 2, 1, 3], emotion=[0, 0, 0, 0]) for n in range(6)
        ],
        "empathetic_dialogues": [source_rows.empathetic_dialogues(n) for n in (1, 2, 3, 4)],
        "prosocial_dialog": [source_rows.prosocial_dialog(0), source_rows.prosocial_dialog(1)],
        "prosocial_dialog_partial": [
            source_rows.prosocial_dialog(response=None, dialogue_id=None, response_id=None, context="Alone.")
        ],
    }
    (tmp_path / "data" / "sources").mkdir(parents=True)
    for name, rows in sets.items():
        write_rows(tmp_path / "data" / "sources" / f"{name}.jsonl", rows)
    return tmp_path / "data"


def kind_of(body) -> str:
    """What a request asks for."""
    system = body["messages"][0]["content"]
    return "judge" if "compare two replies" in system else "plan" if "[RESULT SKILL]" in system else "reply"


def told(body) -> tuple[bool, bool]:
    """(the explanation, the skill) are in the prompt."""
    system = body["messages"][0]["content"]
    return "What goes through your mind" in system, "skill to use now is Clarification" in system


def serving(reply, judge=lambda body: "verdict: tie", plan="I wonder which one. [RESULT SKILL] Clarification"):
    """An answer function for chat_server."""

    def answer(body):
        kind = kind_of(body)
        if kind == "plan":
            return completion(plan) if isinstance(plan, str) else plan
        said = judge(body) if kind == "judge" else reply(body)
        return completion(said) if isinstance(said, str) else said

    return answer


def run(url, data, out, name, *more) -> tuple:
    """Run the command with a model name of its own, so that no other test's connection is reused."""
    app = typer.Typer()
    app.command()(response_command)
    command = ["-m", f"openai/{name}", "--planner", f"openai/{name}-plan", "--base-url", url, "--retries", "0"]
    environment = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
    result = CliRunner().invoke(app, [*command, "--data", str(data), "-o", str(out), *more], env=environment)
    folder = out / "response" / f"openai-{name}-with-openai-{name}-plan"
    read = lambda file: json.loads((folder / file).read_text(encoding="utf-8"))
    return result, folder, read


def longer_with_plan(body) -> str:
    explanation, skill = told(body)
    return "Yes." + " Which key do you mean?" * skill + " I do wonder." * explanation


def test_four_arms_see_the_same_dialogue_and_are_told_apart(data, tmp_path):
    with chat_server(serving(longer_with_plan)) as (url, seen):
        result, folder, read = run(url, data, tmp_path / "out", "arms")
    assert result.exit_code == 0, result.output
    rows = read_jsonl(folder / "rows.jsonl")
    assert len(rows) == 8 and all(row["valid"] and row["skill"] == "Clarification" for row in rows)
    assert rows[0]["replies"] == {
        "plain": "Yes.",
        "skill": "Yes. Which key do you mean?",
        "explanation": "Yes. I do wonder.",
        "both": "Yes. Which key do you mean? I do wonder.",
    }
    replies = [body for body in seen if kind_of(body) == "reply"]
    asked = Counter(json.dumps(body["messages"][1:]) for body in replies)
    assert set(asked.values()) == {4}  # each dialogue, word for word the same, in four arms
    assert Counter(map(told, replies)) == dict.fromkeys([(a, b) for a in (0, 1) for b in (0, 1)], 8)
    assert all(row["reference"] and row["reference"] not in str(row["dialogue"]) for row in rows)
    config = read("config.json")
    assert config["planner"] == "openai/arms-plan" and config["rows"]["left_out"] == {"no reply in it": 1}
    assert {"skill", "reply", "plan"} == read("prompts.json").keys()


def test_a_run_goes_on_after_failures_and_asks_for_what_is_lacking(data, tmp_path):
    down = True
    reply = lambda body: failure(400, "no") if down and "key 1" in str(body) else "Fine."
    with chat_server(serving(reply)) as (url, seen):
        result, folder, read = run(url, data, tmp_path / "out", "resume")
        assert result.exit_code == 1
        [lost] = [row for row in read_jsonl(folder / "rows.jsonl") if row["error"]]
        assert lost["replies"] == {} and not lost["valid"] and lost["credit"]["rougeL/both"] == 0
        assert lost["credit"]["words/both"] is None and read("metrics.json")["failed"] == 1
        down, before = False, len(seen)
        result, _, _ = run(url, data, tmp_path / "out", "resume")
        assert result.exit_code == 0 and read("metrics.json")["failed"] == 0
        assert len(seen) - before == 5  # a plan and four replies: the one dialogue alone
        before, bytes_before = len(seen), (folder / "metrics.json").read_bytes()
        run(url, data, tmp_path / "out", "resume")
        assert len(seen) == before and (folder / "metrics.json").read_bytes() == bytes_before


def test_without_a_plan_every_arm_is_the_plain_one_and_asked_once(data, tmp_path):
    with chat_server(serving(lambda body: "Fine.", plan="I can't say.")) as (url, seen):
        result, folder, _ = run(url, data, tmp_path / "out", "noplan", "--limit", "2")
    assert result.exit_code == 0, result.output
    # An explanation without a skill is still an explanation: two arms are told it, two nothing.
    assert Counter(map(told, [b for b in seen if kind_of(b) == "reply"])) == {(True, False): 2, (False, False): 2}
    for row in read_jsonl(folder / "rows.jsonl"):
        assert row["skill"] is None and row["valid"] and set(row["replies"]) == set(ARMS)


def test_the_judge_is_asked_in_both_orders_and_a_failed_parse_is_no_tie(data, tmp_path):
    def judge(body):
        text = body["messages"][1]["content"]
        first, second = re.search(
            r"First reply, by .*?:\n(.*?)\n\nSecond reply, by .*?:\n(.*?)\n\n", text, re.S
        ).groups()
        [reply] = [reply for reply in (first, second) if reply != "Yes."]  # the other is the plain one
        if "Which" in reply and "wonder" in reply:
            return "verdict: first" if first == reply else "verdict: second"
        return "verdict: first" if "Which" in reply else "I like them."

    with chat_server(serving(longer_with_plan, judge)) as (url, seen):
        result, folder, read = run(url, data, tmp_path / "out", "judged", "--judge", "openai/judged-judge")
    assert result.exit_code == 0, result.output
    numbers = read("metrics.json")["metrics"]
    assert next(iter(numbers)) == "win_rate/both against plain"
    assert numbers["win_rate/both against plain"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 8}
    # Always the first one: no preference at all, and the judge contradicts itself.
    assert (
        numbers["tie_rate/skill against plain"]["value"] == 1
        and numbers["win_rate/skill against plain"]["value"] == 0.5
    )
    assert numbers["order_agreement/skill against plain"]["value"] == 0
    assert numbers["win_rate/explanation against plain"] == {"value": None, "low": None, "high": None, "n": 0}
    row = read_jsonl(folder / "rows.jsonl")[0]
    assert row["judgements"]["explanation against plain"] == {"preferred": None, "answers": ["I like them."] * 2}
    assert sum(kind_of(body) == "judge" for body in seen) == 8 * 3 * 2
    assert (
        read("config.json")["judge"] == "openai/judged-judge"
        and read("versions.json")["prompts"]["judge"] == "pair_judge-1"
    )
    assert "win rate" in (folder / "report.html").read_text(encoding="utf-8")


def test_only_replies_to_somebody_else_are_asked_for_without_what_gives_them_away(data):
    found = reply_items(find_data(data))
    assert len(found.kept) == len({item.cluster for item in found.kept}) == 8
    for item in found.kept:
        last = item.dialogue.turns[-1].speaker
        assert last != item.extra["speaker"] and "Rules of thumb" not in item.dialogue.social_context
        if item.source != "daily_dialog":
            assert item.extra["speaker"] == "Speaker B"
    assert reply_items(find_data(data)).kept == found.kept


def test_scores_of_a_row_and_its_missing_replies():
    same = score_replies(dict.fromkeys(ARMS, "I will fetch the ladder."), METADATA)
    assert same["valid"] and same["credit"]["rougeL/skill"] == 1 and same["credit"]["changed/both"] == 0
    assert same["credit"]["words/plain"] == 5
    partly = score_replies({"plain": "", "both": "I will."}, METADATA)
    assert not partly["valid"] and partly["credit"]["changed/both"] is None
    rows = [
        row | {"source": "ours", "cluster": str(i), "replies": row["replies"]} for i, row in enumerate((same, partly))
    ]
    numbers = metrics(rows)["metrics"]
    assert numbers["bleu4/plain"]["value"] < numbers["bleu4/both"]["value"] < 100
    assert numbers["invalid_rate"]["value"] == 0.5 and numbers["words/both"]["value"] == 3.5
    assert list(metrics(rows)["per_source"]) == ["ours"]


def test_bertscore_stands_beside_the_others_where_there_is_a_model():
    same = lambda text, reference: float(text == reference)
    rows = [
        score_replies(dict.fromkeys(ARMS, "I will fetch the ladder."), METADATA, same),
        score_replies({"plain": "", "both": "I will."}, METADATA, same),
        score_replies({}, METADATA),  # its model failed
    ]
    rows = [row | {"source": "ours", "cluster": str(i)} for i, row in enumerate(rows)]
    number = metrics(rows)["metrics"]["bertscore/both"]
    assert number["value"] == pytest.approx(1 / 3) and number["n"] == 3
    assert "bertscore/both" not in metrics(rows[2:])["metrics"]


def naive_distinct(texts, order):
    grams = [tuple(t.split()[i : i + order]) for t in texts for i in range(len(t.split()) - order + 1)]
    return len(set(grams)) / len(grams) if grams else None


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=6), min_size=1, max_size=8), st.integers(1, 3))
def test_distinct_and_its_jackknife_are_what_counting_anew_gives(texts, order):
    texts = [" ".join(words) for words in texts]
    clusters = [str(i // 2) for i in range(len(texts))]
    found = distinct(texts, clusters, order)
    assert found["value"] == pytest.approx(naive_distinct(texts, order)) if found["n"] else found["value"] is None
    if not found["n"]:
        return
    without = [
        naive_distinct([t for t, c in zip(texts, clusters, strict=True) if c != gone], order) for gone in set(clusters)
    ]
    without = [value for value in without if value is not None]
    if len(without) > 1:
        mean = sum(without) / len(without)
        spread = 1.96 * ((len(without) - 1) / len(without) * sum((v - mean) ** 2 for v in without)) ** 0.5
        assert found["high"] == pytest.approx(min(1, found["value"] + spread))
        assert found["low"] == pytest.approx(max(0, found["value"] - spread))


@pytest.mark.parametrize(
    "text, verdict",
    [
        ("verdict: first", "first"),
        ("**Verdict:** Second.", "second"),
        ("tie", "tie"),
        ("Let me think. verdict: first\nNo, verdict: tie", "tie"),
        ("The first reply is better.", None),
        ("verdict: firstly", None),
        ("verdict: both", None),
        ("", None),
    ],
)
def test_verdicts(text, verdict):
    assert read_verdict(text) == verdict


@pytest.mark.parametrize(
    "forward, backward, preferred, agreed",
    [
        ("first", "second", 1.0, True),
        ("second", "first", 0.0, True),
        ("first", "first", 0.5, False),
        ("second", "second", 0.5, False),
        ("first", "tie", 0.5, False),
        ("tie", "tie", 0.5, True),
        ("first", "hm", None, None),
        ("hm", "tie", None, None),
    ],
)
def test_a_reply_wins_only_in_both_orders(forward, backward, preferred, agreed):
    found = read_pair(forward, backward)
    assert (found.preferred, found.agreed) == (preferred, agreed)


@given(st.sampled_from(["first", "second", "tie", "?"]), st.sampled_from(["first", "second", "tie", "?"]))
def test_exchanging_the_replies_exchanges_the_verdict(one, other):
    a, b = read_pair(one, other).preferred, read_pair(other, one).preferred
    assert (a is None and b is None) or a + b == 1
