"""Turns to annotate: which may be drawn, how many, and always the same ones."""

import json
from collections import Counter

import pytest
import source_rows as rows
from typer.testing import CliRunner

from thanos import Dialogue, ThanosError, Turn
from thanos.cli.app import app
from thanos.dialogue import read_rows
from thanos.sources import read_dialogues
from thanos.turns import Recipe, find_files, load_recipe, sample_turns, turn_to_annotate


def dialogues(n, turns=10):
    for i in range(n):
        said = [Turn(speaker="AB"[k % 2], text=f"{i}.{k}") for k in range(turns)]
        yield Dialogue(id=f"d{i}", turns=said, social_context="c", meta={"source": "s"})


def recipe(**changes):
    return Recipe(sources={"soda": {"turns": 5}}, **changes)


def ids(sample):
    return [row["id"] for row in sample.rows]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_row_holds_what_came_before_and_the_response(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(json.dumps(rows.prosocial_dialog(n)) for n in range(2)))
    (dialogue,) = read_dialogues("prosocial_dialog", path)
    row = turn_to_annotate(dialogue, 3)
    assert list(row) == ["id", "source", "social_context", "dialogue", "response", "speaker"]
    assert row["id"] == "prosocial_dialog:3:3" and row["source"] == "prosocial_dialog" and row["speaker"] == "Speaker B"
    assert row["response"] == {"speaker": "Speaker B", "text": "Why would you do 1?"} and len(row["dialogue"]) == 3
    assert row["social_context"].endswith("- It's wrong to do 1.")  # the rules of thumb of this very reply


def test_pictures_stay_pictures():
    (dialogue,) = dialogues(1, turns=4)
    shown = dialogue.model_copy(update={"turns": [*dialogue.turns, Turn(speaker="A", image="a kiln")]})
    assert turn_to_annotate(shown, 4)["response"] == {"speaker": "A", "text": "", "image": "a kiln"}


def test_only_turns_with_enough_before_them():
    sample = sample_turns(dialogues(40, turns=6), 1000, recipe(per_dialogue=9))
    assert {len(row["dialogue"]) for row in sample.rows} == {3, 4, 5} and sample.eligible == 40
    even = sample_turns(dialogues(40, turns=6), 1000, recipe(per_dialogue=9, even_turns=True))
    assert {len(row["dialogue"]) for row in even.rows} == {3, 5}
    none = sample_turns(dialogues(40, turns=3), 1000, recipe())
    assert none.rows == [] and none.dialogues == 40 and none.eligible == 0


def test_as_many_as_asked_and_no_more_of_a_dialogue():
    sample = sample_turns(dialogues(50), 20, recipe(per_dialogue=2))
    assert len(sample.rows) == 20 and max(Counter(id.split(":")[1] for id in ids(sample)).values()) <= 2
    assert len(sample_turns(dialogues(5), 20, recipe(per_dialogue=2)).rows) == 10


def test_seeded_and_independent_of_order_and_growth():
    drawn = ids(sample_turns(dialogues(100), 20, recipe()))
    assert drawn == ids(sample_turns(dialogues(100), 20, recipe()))
    assert sorted(drawn) == sorted(ids(sample_turns(reversed(list(dialogues(100))), 20, recipe())))
    assert set(drawn) != set(ids(sample_turns(dialogues(100), 20, recipe(seed=1))))
    assert set(drawn) < set(ids(sample_turns(dialogues(100), 40, recipe())))
    grown = set(ids(sample_turns(dialogues(200), 20, recipe())))
    assert set(drawn) & grown == {id for id in grown if int(id.split(":")[1][1:]) < 100}


def test_turns_and_dialogues_are_drawn_evenly():
    sample = sample_turns(dialogues(2000), 1000, recipe())
    turns = Counter(len(row["dialogue"]) for row in sample.rows)
    assert set(turns) == set(range(3, 10)) and min(turns.values()) > 100  # about 143 each
    early = sum(int(id.split(":")[1][1:]) < 1000 for id in ids(sample))
    assert 400 < early < 600


def test_rows_come_in_the_order_of_the_input():
    drawn = [int(id.split(":")[1][1:]) for id in ids(sample_turns(dialogues(200), 50, recipe()))]
    assert drawn == sorted(drawn)


def test_dialogues_that_share_an_id_are_drawn_once():
    sample = sample_turns([*dialogues(5), *dialogues(5)], 100, recipe())
    assert len(sample.rows) == len(set(ids(sample))) == 5 and sample.repeated == 5


def test_the_papers_recipe():
    paper = load_recipe("paper")
    assert sum(share.turns for share in paper.sources.values()) == 100_000 and len(paper.sources) == 12
    assert paper.even_turns and paper.min_turns == 4 and paper.sources["multiwoz22"].turns == 10_000


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("sorces:\n  soda: {turns: 1}", "unknown key 'sorces'; did you mean 'sources'?"),
        ("sources:\n  soda: {truns: 1}", "unknown key 'sources.soda.truns'; did you mean 'turns'?"),
        ("sources:\n  soda: {turns: 1}\nqqq: 1", "unknown key 'qqq'; known keys: sources, seed"),
        ("sources:\n  sodaa: {turns: 1}", "unknown source 'sodaa'; did you mean 'soda'?"),
        ("sources:\n  soda: {turns: 0}", "sources.soda.turns: input should be greater than or equal to 1"),
        ("sources: {}", "sources: dictionary should have at least 1 item"),
        ("- soda", "expected keys like `sources:`"),
        ("sources: [", "isn't YAML"),
    ],
)
def test_what_is_wrong_with_a_recipe(tmp_path, text, error):
    with pytest.raises(ThanosError) as caught:
        load_recipe(write(tmp_path / "r.yaml", text))
    assert error in str(caught.value) and "\n" not in str(caught.value)


def test_files_of_a_recipe(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "casino.parquet", "")
    text = "sources:\n  soda: {turns: 1, file: x/s.json}\n  casino: {turns: 1}\n"
    plan = load_recipe(write(tmp_path / "r.yaml", text))
    assert find_files(plan, tmp_path / "data") == {
        "soda": tmp_path / "x" / "s.json",  # relative to the recipe
        "casino": tmp_path / "data" / "casino.parquet",
    }
    assert find_files(plan, None, hub=True)["casino"] is None
    with pytest.raises(ThanosError, match="no file for casino: name a folder by --data"):
        find_files(plan)


def test_turns_command(tmp_path):
    said = [f"Line {n}." for n in range(6)]
    good = [rows.soda(dialogue=said, speakers=["Mira", "Odo"] * 3, original_index=n) for n in range(9)]
    write(tmp_path / "soda.jsonl", "".join(json.dumps(row) + "\n" for row in [*good, {"x": 1}]))
    plan = write(tmp_path / "r.yaml", "sources:\n  soda: {turns: 20, file: soda.jsonl}\nper_dialogue: 2\n")
    out = tmp_path / "turns.jsonl"
    result = CliRunner().invoke(app, ["turns", plan, "-o", str(out)])
    assert result.exit_code == 0, result.output
    counts = "soda: 18 turns from 9 of 9 dialogues (asked for 20; there are no more); 1 rows gave no dialogue"
    assert counts in result.output
    first = out.read_bytes()
    drawn = list(read_rows(str(out)))
    assert len(drawn) == 18 and all(row.dialogue and row.dialogue.meta["response"] for row in drawn)
    assert CliRunner().invoke(app, ["turns", plan, "-o", str(out)]).exit_code == 0
    assert out.read_bytes() == first  # the same recipe and files, the same rows


def test_turns_command_says_so_if_nothing_can_be_drawn(tmp_path):
    write(tmp_path / "soda.jsonl", json.dumps(rows.soda()) + "\n")
    plan = write(tmp_path / "r.yaml", "sources:\n  soda: {turns: 2}\n")
    result = CliRunner().invoke(app, ["turns", plan, "-o", str(tmp_path / "t.jsonl"), "--data", str(tmp_path)])
    assert result.exit_code == 1 and "0 turns from 0 of 1 dialogues" in result.output
