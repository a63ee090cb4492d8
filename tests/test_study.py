"""The human study: from runs to blinded pairs, answers over a real server, win rates and agreement."""

import asyncio
import json
import random
import socket
from collections import Counter

import aiohttp
import krippendorff
import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from bench_runs import response_rows, write_run
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from thanos.cli import study as study_commands
from thanos.errors import ThanosError
from thanos.study.argilla import export_study, import_answers
from thanos.study.folder import Answer, Study, read_key, read_study, write_study
from thanos.study.make import Moment, draw_pairs, key_of, read_comparisons
from thanos.study.questions import load_questions
from thanos.study.runs import read_moments
from thanos.study.score import alpha, score_study
from thanos.study.server import MOST_BYTES, serve_study, study_app

QUESTIONS = load_questions()
run = CliRunner().invoke


def moments(n: int) -> list[Moment]:
    dialogue = [{"speaker": "Ines", "text": "The tap drips."}]
    return [
        Moment(
            f"m{i}", "", dialogue, "Bo", {"plain": f"Oh {i}.", "both": f"I have a wrench, {i}.", "reference": f"{i}!"}
        )
        for i in range(n)
    ]


def new_study(folder, n=10, comparisons=(("plain", "both"),)) -> Study:
    draw = draw_pairs(moments(n), list(comparisons), n, seed=0)
    return write_study(folder, QUESTIONS, draw.items, key_of(draw, 0, {}))


def answer(item: str, annotator: str = "ana", choice: str = "left", points=(3, 2), **more) -> Answer:
    ratings = {rating.name: {"left": points[0], "right": points[1]} for rating in QUESTIONS.ratings}
    return Answer(item=item, annotator=annotator, choices={"overall": choice}, ratings=ratings, **more)


def answer_for(study: Study, system: str, annotator: str, share: float, rng: random.Random) -> None:
    """Answers that prefer a system on a share of the items."""
    for item, pair in read_key(study)["pairs"].items():
        good = "left" if pair["left"] == system else "right"
        bad = {"left": "right", "right": "left"}[good]
        study.append(answer(item, annotator, good if rng.random() < share else bad))


# --- making


@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 5))
def test_pairs_are_balanced_and_say_nothing_of_their_systems(n, number, seed):
    draw = draw_pairs(moments(n), [("plain", "both")], number, seed)
    left = Counter(pair["left"] for pair in draw.pairs.values())
    assert len(draw.items) == min(n, number) and abs(left["plain"] - left["both"]) <= 1
    assert [item.id for item in draw.items] == sorted(item.id for item in draw.items)
    replies = {moment.id: moment.replies for moment in moments(n)}
    for item in draw.items:
        pair = draw.pairs[item.id]
        assert (item.left, item.right) == tuple(replies[pair["row"]][pair[side]] for side in ("left", "right"))
    shown = json.dumps([item.model_dump() for item in draw.items])
    assert not [word for word in ('"plain"', '"both"', '"m0"') if word in shown]


def test_a_draw_depends_on_the_seed_alone():
    given = moments(20)
    same = [draw_pairs(order, [("plain", "both")], 8, 1) for order in (given, given[::-1])]
    assert same[0] == same[1] != draw_pairs(given, [("plain", "both")], 8, 2)


def test_replies_that_are_missing_or_the_same_give_no_pair():
    given = moments(4)
    given[0].replies["both"] = "  Oh   0. "
    del given[1].replies["both"]
    draw = draw_pairs(given, [("plain", "both")], 10, 0)
    assert {pair["row"] for pair in draw.pairs.values()} == {"m2", "m3"}
    assert draw.left_out == {"plain, both: the same words": 1, "plain, both: no reply of one of them": 1}
    with pytest.raises(ThanosError, match="no pair can be made: plain, both: the same words"):
        draw_pairs(given[:1], [("plain", "both")], 10, 0)


def test_every_two_systems_are_compared_unless_asked_otherwise():
    systems = ["plain", "skill", "both", "reference"]
    assert read_comparisons([], systems) == [("plain", "skill"), ("plain", "both"), ("skill", "both")]
    assert read_comparisons(["both, reference"], systems) == [("both", "reference")]
    for wrong in ("both", "both,both", "both,none", "a,b,c"):
        with pytest.raises(ThanosError, match="write A,B with two of: plain, skill"):
            read_comparisons([wrong], systems)


def test_systems_are_the_arms_of_one_run_or_of_several(tmp_path):
    rows = response_rows(4)
    a = write_run(tmp_path / "a", rows, task="response")
    b = write_run(tmp_path / "b", rows[1:], task="response")
    moment, systems = read_moments([a])
    assert list(systems) == ["plain", "skill", "explanation", "both", "reference"] and len(moment) == 4
    moment, systems = read_moments([a, b])
    assert "a/plain" in systems and "b/both" in systems and [m.id for m in moment] == [r["id"] for r in rows[1:]]
    assert systems["b/both"]["config"]["task"] == "response"


def test_runs_without_replies_are_refused(tmp_path):
    with pytest.raises(ThanosError, match="can't read .*rows.jsonl"):
        read_moments([tmp_path])
    (tmp_path / "rows.jsonl").write_text('{"id": "x"}\n', encoding="utf-8")
    with pytest.raises(ThanosError, match="line 1 has no replies"):
        read_moments([tmp_path])
    a, b = (write_run(tmp_path / str(i), response_rows(3)[i : i + 1], task="response") for i in (0, 1))
    with pytest.raises(ThanosError, match="no dialogue in common"):
        read_moments([a, b])


def test_questions_come_from_a_file_and_unknown_keys_are_errors(tmp_path):
    path = tmp_path / "q.yaml"
    path.write_text("version: 2\ntitle: T\nchoices: [{name: a, text: A}]\n", encoding="utf-8")
    assert load_questions(path).ratings == []
    for text, said in (
        ("version: 2\ntitle: T\nchoice: []\n", "choices: field required"),
        ("version: 2\ntitle: T\nchoices: [{name: a, text: A, scale: [x]}]", "choices.0.scale: extra inputs"),
        ("version: 2\ntitle: T\nchoices: [{name: a, text: A}, {name: a, text: B}]", "two questions have the same name"),
        ("title: [", "aren't YAML"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ThanosError, match=said):
            load_questions(path)


# --- the folder


def test_a_study_comes_back_from_its_folder_and_answers_survive(tmp_path):
    study = new_study(tmp_path)
    study.append(answer("01"))
    study.append(answer("01", choice="tie", note="hm"))
    with study.answers_path.open("ab") as file:
        file.write(b'{"study": "cut sho')  # a kill
    read_study(tmp_path).append(answer("02"))
    answers, faults = read_study(tmp_path).answers()
    assert [(a.item, a.choices["overall"]) for a in answers] == [("01", "tie"), ("02", "left")]
    assert faults == ["answers.jsonl line 3: not an answer of this study"]


def test_answers_are_never_overwritten_or_counted_elsewhere(tmp_path):
    study = new_study(tmp_path / "a")
    study.append(answer("01"))
    with pytest.raises(ThanosError, match="holds answers already"):
        new_study(tmp_path / "a")
    other = new_study(tmp_path / "b", n=11)
    other.answers_path.write_bytes(study.answers_path.read_bytes())
    assert other.answers() == ([], ["answers.jsonl line 1: not an answer of this study"])


def test_a_changed_study_is_refused(tmp_path):
    new_study(tmp_path)
    path = tmp_path / "items.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("wrench", "bucket"), encoding="utf-8")
    with pytest.raises(ThanosError, match="were changed after"):
        read_study(tmp_path)
    with pytest.raises(ThanosError, match="no study in"):
        read_study(tmp_path / "nowhere")
    (tmp_path / "key.json").write_text('{"study": "x", "pairs": {}}', encoding="utf-8")
    with pytest.raises(ThanosError, match="key of another study"):
        read_key(new_study(tmp_path / "b").__class__(tmp_path, "y", QUESTIONS))


@pytest.mark.parametrize(
    "change, said",
    [
        ({"item": "99"}, "no item '99'"),
        ({"choices": {}}, "choices: 'overall' isn't answered"),
        ({"choices": {"overall": "up"}}, "choices.overall: 'up' is none of left, tie, right"),
        ({"choices": {"overall": "tie", "more": "tie"}}, "choices: 'more' wasn't asked"),
        ({"ratings": {"relevance": {"left": 1, "right": 1}}}, "ratings: 'naturalness' isn't answered"),
        ({"ratings": {q.name: {"left": 5, "right": 1} for q in QUESTIONS.ratings}}, "points are 1 to 4"),
        ({"ratings": {q.name: {"left": 1} for q in QUESTIONS.ratings}}, "ratings.relevance: 'right' isn't answered"),
    ],
)
def test_only_whole_answers_are_taken(tmp_path, change, said):
    study = new_study(tmp_path)
    with pytest.raises(ThanosError, match=said):
        study.append(answer("01").model_copy(update=change))
    assert not study.answers_path.exists()


# --- the server


def serve(study: Study, use):
    """Run `use(session, address)` against a real server on loopback."""

    async def go():
        async with TestServer(study_app(study)) as server, aiohttp.ClientSession() as session:
            return await use(session, str(server.make_url("")))

    return asyncio.run(go())


def test_annotators_answer_and_go_on_where_they_stopped(tmp_path):
    study = new_study(tmp_path)

    async def use(session, url):
        page = await session.get(url)
        seen = await (await session.get(url + "/study", params={"annotator": "ana"})).json()
        saved = await session.post(url + "/answers", json=answer("01", seconds=2.5).model_dump())
        again = await (await session.get(url + "/study", params={"annotator": "ana"})).json()
        other = await (await session.get(url + "/study", params={"annotator": "ben"})).json()
        return page, await page.text(), seen, saved.status, again, other

    page, text, seen, status, again, other = serve(study, use)
    assert page.status == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http://" not in text and "https://" not in text  # needs no network
    assert status == 200 and seen["answers"] == other["answers"] == []
    assert again["answers"][0]["choices"] == {"overall": "left"}
    assert set(seen["items"][0]) == {"id", "social_context", "dialogue", "speaker", "left", "right"}
    [saved] = study.answers()[0]
    assert saved.seconds == 2.5


def test_the_server_gives_nothing_away_and_takes_nothing_odd(tmp_path):
    study = new_study(tmp_path)
    good = answer("01").model_dump()

    async def use(session, url):
        post = lambda **more: session.post(url + "/answers", **more)
        answers = [
            await session.get(url + "/key.json"),
            await session.get(url + "/../key.json"),
            await session.get(url, headers={"Host": "evil.example"}),
            await session.get(url, headers={"Host": "evil.example:80"}),
            await post(data=json.dumps(good), headers={"Content-Type": "text/plain"}),
            await post(data="{", headers={"Content-Type": "application/json"}),
            await post(json=good | {"item": "99"}),
            await post(json=good | {"annotator": " "}),
            await post(json=good | {"system": "both"}),
            await post(json=good | {"note": "x" * 3000}),
            await post(json=good | {"note": "x" * 2 * MOST_BYTES}),
        ]
        return [(a.status, (await a.json())["error"]) for a in answers]

    found = serve(study, use)
    assert [status for status, _ in found] == [404, 404, 403, 403, 415, 400, 400, 400, 400, 400, 413]
    assert all(error and "\n" not in error for _, error in found) and not study.answers_path.exists()


def test_a_taken_port_is_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ThanosError, match="in use; give another --port"):
            serve_study(new_study(tmp_path), taken.getsockname()[1], print)


# --- Argilla


def test_the_export_has_argillas_shape_and_answers_come_back(tmp_path):
    study = new_study(tmp_path / "study")
    export_study(study, tmp_path / "argilla", annotators=2)
    read = lambda name: json.loads((tmp_path / "argilla" / name).read_text(encoding="utf-8"))
    settings, records = read(".argilla/settings.json"), read("records.json")
    assert read(".argilla/dataset.json")["name"] == f"study-{study.id}"
    assert settings["distribution"] == {"strategy": "overlap", "min_submitted": 2}
    names = [question["name"] for question in settings["questions"]]
    assert names == [
        "choice-overall",
        *(f"rating-{q.name}-{s}" for q in QUESTIONS.ratings for s in ("left", "right")),
        "note",
    ]
    fields = {field["name"] for field in settings["fields"]}
    assert set(records[0]) == {"id", "fields", "metadata", "suggestions", "responses", "vectors", "status"}
    assert all(record["fields"].keys() <= fields for record in records) and len(records) == 10
    value = lambda name: "right" if name.startswith("choice") else "odd" if name == "note" else 4
    for record in records[:3]:
        record["responses"] = {name: [{"value": value(name), "user_id": u} for u in ("u1", "u2")] for name in names}
    records[3]["responses"] = {"choice-overall": [{"value": "left", "user_id": "u1"}]}
    records.append({"id": "x"})
    back = tmp_path / "back.json"
    back.write_text(json.dumps(records), encoding="utf-8")
    appended, faults = import_answers(study, back)
    assert appended == 6 and len(faults) == 2 and "record 4: ratings: 'relevance'" in faults[0]
    assert import_answers(study, back)[0] == 0  # nothing twice
    assert {(a.annotator, a.note, a.choices["overall"]) for a in study.answers()[0]} == {
        ("u1", "odd", "right"),
        ("u2", "odd", "right"),
    }
    back.write_text("{}", encoding="utf-8")
    with pytest.raises(ThanosError, match="expected a list of Argilla records"):
        import_answers(study, back)


# --- scoring


def test_win_rates_and_ratings_follow_the_key_not_the_side(tmp_path):
    study = new_study(tmp_path, 20)
    for item, pair in read_key(study)["pairs"].items():
        side = "left" if pair["left"] == "both" else "right"
        points = (4, 1) if side == "left" else (1, 4)
        study.append(answer(item, "ana", side, points))
        study.append(answer(item, "ben", "tie", points))
    figures = score_study(study)
    [wins] = figures["wins"]
    assert (wins["a"], wins["b"], wins["wins"], wins["ties"], wins["losses"]) == ("both", "plain", 20, 20, 0)
    assert wins["win_rate"] == {"value": 0.75, "low": 0.75, "high": 0.75, "n": 40} and wins["dialogues"] == 20
    means = {(r["question"], r["system"]): r["mean"]["value"] for r in figures["ratings"]}
    assert means["relevance", "both"] == 4 and means["relevance", "plain"] == 1
    assert figures["annotators"] == {"ana": 20, "ben": 20} and figures["left_share"] == 0.5


def test_what_was_really_said_is_always_the_opponent(tmp_path):
    study = new_study(tmp_path, 6, [("reference", "plain"), ("both", "reference")])
    answer_for(study, "reference", "ana", 0.0, random.Random(0))
    assert {(w["a"], w["b"], w["losses"]) for w in score_study(study)["wins"]} == {
        ("plain", "reference", 0),
        ("both", "reference", 0),
    }


def test_intervals_draw_whole_dialogues(tmp_path):
    """Ten people who say the same about a pair are no better proof than one of them."""
    width = {}
    for people in (1, 10):
        study = new_study(tmp_path / str(people), 30)
        for i in range(people):
            answer_for(study, "both", f"p{i}", 0.5, random.Random(3))
        rate = score_study(study)["wins"][0]["win_rate"]
        width[people] = rate["high"] - rate["low"]
    assert width[10] == pytest.approx(width[1], abs=0.02) and width[1] > 0.25


@settings(max_examples=12)
@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=4), min_size=2, max_size=12))
def test_alpha_is_the_packages_on_raw_data(units):
    """From counts as here, and from a table of annotators as in the papers."""
    table = np.full((4, len(units)), np.nan)
    for u, values in enumerate(units):
        table[: len(values), u] = values
    counts = np.array([[values.count(v) for v in range(4)] for values in units])
    for level in ("nominal", "ordinal"):
        value = alpha(counts, level, 0)["value"]
        if len({v for values in units for v in values}) < 2:
            assert value is None
        else:
            wanted = krippendorff.alpha(reliability_data=table, value_domain=range(4), level_of_measurement=level)
            assert value == pytest.approx(wanted, abs=1e-9)


def test_alpha_of_a_published_example():
    """Three coders and 15 units, as in the encyclopaedia's article on Krippendorff's alpha: nominal alpha is 0.691."""
    coders = ("*****34121133*3", "1*213343*******", "**21344*21133*4")
    counts = np.zeros((15, 4), int)
    for line in coders:
        for unit, value in enumerate(line):
            if value != "*":
                counts[unit, int(value) - 1] += 1
    assert alpha(counts, "nominal", 0)["value"] == pytest.approx(0.691, abs=5e-4)


def test_one_annotator_shows_no_agreement(tmp_path):
    study = new_study(tmp_path)
    answer_for(study, "both", "ana", 0.8, random.Random(0))
    figures = score_study(study)
    assert {row["alpha"]["value"] for row in figures["agreement"]} == {None}


def test_commands_from_runs_to_report(tmp_path):
    a = write_run(tmp_path / "run", response_rows(8), task="response")
    folder, app = str(tmp_path / "study"), study_commands.app
    result = run(app, ["make", str(a), "-o", folder, "--compare", "plain,both", "--items", "5"])
    assert result.exit_code == 0, result.output
    assert "5 pairs" in result.output and {p.name for p in (tmp_path / "study").iterdir()} == {
        "study.json",
        "items.jsonl",
        "key.json",
    }
    assert isinstance(run(app, ["report", folder]).exception, ThanosError)  # no answers yet
    study = read_study(tmp_path / "study")
    for name in ("ana", "<b>ben</b>"):
        answer_for(study, "both", name, 0.9, random.Random(1))
    result = run(app, ["report", folder])
    assert result.exit_code == 0 and "both against plain" in " ".join(result.output.split()), result.output
    page = (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
    assert "<b>ben" not in page and "&lt;b&gt;ben" in page
    figures = json.loads((tmp_path / "study" / "report.json").read_text(encoding="utf-8"))
    assert f"{100 * figures['wins'][0]['win_rate']['value']:.1f}%" in page
    assert run(app, ["export", folder, "-o", str(tmp_path / "argilla")]).exit_code == 0
    with study.answers_path.open("a", encoding="utf-8") as file:
        file.write("nonsense\n")
    result = run(app, ["report", folder])
    assert result.exit_code == 1 and "answers.jsonl line 11" in result.output
    assert run(app, ["import", folder, str(tmp_path / "argilla" / "records.json")]).exit_code == 0
