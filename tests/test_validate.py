"""Validation: each rule drops what it should and nothing else, and what it drops is kept with the reason."""

import json
from collections.abc import Iterable, Iterator

import pytest
from annotated_rows import annotated_row, read_jsonl, write_rows

from thanos.data.helpfulness import gains
from thanos.data.leakage import leakage
from thanos.data.recipe import Recipe, load_recipe
from thanos.data.validate import validate
from thanos.dialogue import dialogue_from_row, read_rows
from thanos.errors import ThanosError

pytest.importorskip("datasketch")

GOOD = [annotated_row(n) for n in range(8)]


def run(tmp_path, rows, recipe=None):
    source = write_rows(tmp_path / "in.jsonl", rows)
    output = tmp_path / "out.jsonl"
    report = validate(read_rows(str(source)), output, recipe or load_recipe(None))
    dropped = tmp_path / "out.dropped.jsonl"
    return report, read_jsonl(output), read_jsonl(dropped) if dropped.exists() else []


def reasons(tmp_path, row, recipe=None):
    _, kept, dropped = run(tmp_path, [*GOOD, row], recipe)
    assert kept[:8] == GOOD
    return [(d["reason"], d["id"]) for d in dropped]


def test_good_rows_come_out_as_they_went_in(tmp_path):
    report, kept, dropped = run(tmp_path, GOOD)
    assert kept == GOOD and dropped == [] and report.kept == report.read == 8
    assert not list(tmp_path.glob("*.part"))


def test_real_rows_written_for_the_project_all_pass(shared, tmp_path):
    rows = read_jsonl(shared / "data/original.jsonl")
    _, kept, dropped = run(tmp_path, rows)
    assert kept == rows and not dropped


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"skill": "Small Talk about weather"}, "unknown skill"),
        ({"skill": None}, "unreadable"),
        ({"explanation": None}, "unreadable"),
        ({"explanation": "I should help."}, "explanation too short"),
        ({"explanation": "I wonder. " * 60}, "explanation too long"),
        (
            {"explanation": "Tom notices that the neighbour sounds sad and wants to comfort her."},
            "not in the first person",
        ),
        ({"explanation": "The next speaker is moved by what was said here today."}, "not in the first person"),
    ],
)
def test_a_bad_field_is_named(tmp_path, fields, reason):
    row = annotated_row(99, **fields)
    assert reasons(tmp_path, row) == [(reason, row["id"])]


def test_inner_speech_without_a_pronoun_passes_unless_the_recipe_forbids_it(tmp_path):
    row = annotated_row(99, explanation="Both bookings are settled now and nothing is left but a short goodbye.")
    assert reasons(tmp_path, row) == []
    strict = Recipe.model_validate({"explanation": {"first_person": True}})
    assert reasons(tmp_path, row, strict) == [("not in the first person", row["id"])]


def test_labels_are_normalised_and_counted(tmp_path):
    report, kept, _ = run(
        tmp_path, [annotated_row(1, skill="image sharing", also="Empathy!"), annotated_row(2, also="??")]
    )
    assert [(row["skill"], row["also"]) for row in kept] == [("Image-Sharing", "Empathy"), ("Empathy", None)]
    assert report.relabelled == {"image sharing -> Image-Sharing": 1}


def test_lines_that_are_no_rows_are_kept_as_they_stood(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(GOOD[0]) + "\n{broken\n" + '{"id": "x", "turns": []}\n')
    validate(read_rows(str(source)), tmp_path / "out.jsonl", load_recipe(None))
    dropped = read_jsonl(tmp_path / "out.dropped.jsonl")
    assert [(d["line"], d["reason"], d["text"]) for d in dropped] == [
        (2, "unreadable", "{broken"),
        (3, "unreadable", '{"id": "x", "turns": []}'),
    ]


def test_an_explanation_that_tells_the_reply_is_dropped_in_both_ways(tmp_path):
    reply = {"speaker": "Tom", "text": "Bring the ladder and we'll rescue your kite from the chestnut."}
    copied = "I can hear the worry, so let me say: bring the ladder and we'll rescue it together."
    told = "I could climb up with my ladder to rescue that kite, since I like to be useful."
    fine = "I can hear the worry in that voice, and there is something practical that I could do about it."
    for explanation, expected in ((copied, ["reveals the reply"]), (told, ["reveals the reply"]), (fine, [])):
        row = annotated_row(99, response=reply, explanation=explanation)
        assert [reason for reason, _ in reasons(tmp_path, row)] == expected, explanation


def test_words_that_were_said_before_are_no_leak():
    known = ["My kite is stuck in the chestnut.", "A ladder?"]
    explanation = "The kite is stuck in the chestnut and a ladder comes to my mind."
    found = leakage(explanation, "Is the kite stuck in the chestnut? I have a ladder.", known)
    assert found.shared == 0 and found.copied < 3
    assert leakage("", "", []).share == 0


def test_near_duplicates_go_but_longer_beginnings_of_one_dialogue_stay(tmp_path):
    long = annotated_row(1, turn=17)
    longer = annotated_row(1, turn=19, explanation=annotated_row(50)["explanation"])
    twin = annotated_row(1, turn=17, source="theirs", explanation=annotated_row(51)["explanation"])
    twin["dialogue"][3]["text"] += " Hm."
    echo = annotated_row(60, explanation=long["explanation"] + " Yes.")
    again = dict(annotated_row(61), id=long["id"])
    _, kept, dropped = run(tmp_path, [long, longer, twin, echo, again])
    assert [row["id"] for row in kept] == [long["id"], longer["id"]]
    assert {(d["line"], d["reason"], d["detail"]) for d in dropped} == {
        (3, "near-duplicate dialogue", "as line 1"),
        (4, "near-duplicate explanation", "as line 1"),
        (5, "repeated id", "as line 1"),
    }


def test_a_recipe_with_an_unknown_key_or_a_wild_value_is_refused(tmp_path):
    path = tmp_path / "r.yaml"
    for text, named in (
        ("explanation: {min_word: 3}", "min_word"),
        ("leakage: {max_share: 3}", "max_share"),
        ("a: [", "r.yaml"),
    ):
        path.write_text(text)
        with pytest.raises(ThanosError, match=named):
            load_recipe(str(path))
    with pytest.raises(ThanosError, match=r"can't read .*none\.yaml"):
        load_recipe(str(tmp_path / "none.yaml"))


class WordCountEngine:
    """A true if modest language model, add-one word frequencies: words of the prompt become likelier."""

    name = "word-counts"
    context_window = 400

    def count_tokens(self, messages) -> int:
        return sum(len(m["content"].split()) for m in messages)

    def score(self, requests: Iterable, continuations: Iterable) -> Iterator:
        from math import log

        for request, texts in zip(requests, continuations, strict=True):
            seen = " ".join(m["content"] for m in request.messages).lower().split()
            assert len(seen) <= self.context_window
            values = [sum(log((seen.count(w) + 1) / (len(seen) + 5000)) for w in t.lower().split()) for t in texts]
            yield request.key, values


def test_gain_is_positive_where_the_thought_points_to_the_reply_and_fits_the_window():
    reply = {"speaker": "Tom", "text": "hug and listen"}
    helps = annotated_row(1, explanation="I want to comfort and hug and listen.", response=reply)
    off = annotated_row(2, explanation="I want bread and trams.", response=reply)
    long = annotated_row(3, turn=23)
    from thanos.data.annotated_turn import read_annotated_turn

    rows = [(n, read_annotated_turn(dialogue_from_row(row))) for n, row in enumerate((helps, off, long))]
    found = {number: gain for number, _, gain in gains(WordCountEngine(), rows)}
    assert found[0] > 0.2 > 0.1 > found[1] and set(found) == {0, 1, 2}


def test_helpfulness_filter_drops_and_scores_only_once(tmp_path, monkeypatch):
    calls = []

    class Engine(WordCountEngine):
        def score(self, requests, continuations):
            for item in super().score(requests, continuations):
                calls.append(item[0])
                yield item

        def close(self) -> None:
            pass

    monkeypatch.setattr("thanos.data.helpfulness.load_engine", lambda model, **options: Engine())
    reply = {"speaker": "Tom", "text": "zebra quagga okapi"}
    rows = [annotated_row(1, response=None), annotated_row(2, response=reply), *GOOD[3:5]]
    recipe = Recipe.model_validate({"helpfulness": {"model": "hf/any", "min_gain": 0.0}})
    for _ in range(2):
        _, kept, dropped = run(tmp_path, rows, recipe)
        assert [d["reason"] for d in dropped] == ["unhelpful"] and dropped[0]["id"] == rows[1]["id"]
        assert kept[0] == rows[0]
    assert len(calls) == 6


def test_an_engine_without_likelihoods_is_refused():
    class Plain:
        name, context_window = "openai/m", None

    with pytest.raises(ThanosError, match="no likelihoods"):
        list(gains(Plain(), []))
