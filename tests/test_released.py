"""Annotated rows of the public release and of the original project's files."""

import json

import pytest
from typer.testing import CliRunner

from thanos import ThanosError
from thanos.cli.app import app
from thanos.dialogue import dialogue_from_row
from thanos.sources import RawRow, turn_key
from thanos.sources.released import Report, detect_columns, read_released

SAID = [("Vasco", "Is it far?"), ("Ingrid", "An hour."), ("Vasco", "And cold?"), ("Ingrid", "[Sharing Image: a fjord]")]


def original(**changes):
    """A row as the original project writes it."""
    thought = {"skill": "Image sharing", "explanation": " They can see it. ", "counterfactual response": "No."}
    return {
        "index": "1:hit:5_conv:6",
        "dialogue": [{"speaker": who, "utter": words} for who, words in SAID],
        "social_context_prompt": "On a train.",
        "generation": "```json ... ```",
        "input_token_cnt": 900,
        "parsed_generation": [thought],
    } | changes


def read(*given):
    report = Report()
    return list(read_released([RawRow(n + 1, str(n), row) for n, row in enumerate(given)], report)), report


def test_an_original_row():
    (reading,), report = read(original())
    assert reading.row == {
        "id": "released:hit:5_conv:6:3",
        "source": "released",
        "social_context": "On a train.",
        "dialogue": [{"speaker": who, "text": words} for who, words in SAID[:3]],
        "response": {"speaker": "Ingrid", "text": "", "image": "a fjord"},
        "speaker": "Ingrid",
        "skill": "Image-Sharing",
        "also": None,
        "explanation": "They can see it.",
    }
    assert report.labels.changed == {"Image sharing": "Image-Sharing"} and not report.labels.unmapped
    assert turn_key(reading.row) == ("released", "hit:5_conv:6", 3)
    assert len(dialogue_from_row(reading.row).turns) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"parsed_generation": json.dumps([{"skill": "Empathy", "explanation": "e"}])},
        {"parsed_generation": '```json\n[{"skill": "Empathy", "explanation": "e"}]\n```'},
        {"parsed_generation": {"skill": "empathy.", "explanation": "e"}},
        {"parsed_generation": None, "skill": "Empathy", "explanation": "e"},
        {"parsed_generation": None, "skill": ["Empathy"], "explanation": ["e"]},
        {"parsed_generation": None, "Skill": "Empathy", "rationale": "e", "dialogue": "Vasco: Hi\nIngrid: Ho"},
        {"dialogue": json.dumps([{"speaker": "a", "text": "x"}, {"speaker": "b", "text": "y"}]), "skill": "Empathy"}
        | {"parsed_generation": None, "explanation": "e"},
    ],
)
def test_other_forms_of_the_same(changes):
    (reading,), _ = read(original(**changes))
    assert reading.row, reading.reason
    assert (reading.row["skill"], reading.row["explanation"]) == ("Empathy", "e")


def test_a_response_column_of_its_own():
    row = {
        "dialog": [{"speaker": "a", "text": "x"}],
        "response": {"speaker": "b", "text": "y"},
        "skill": "Ethics",
        "dataset": "soda",
    }
    (reading,), report = read(row)
    assert reading.row["response"] == {"speaker": "b", "text": "y"} and reading.row["id"] == "soda:0:1"
    assert report.columns.dialogue == "dialog" and report.columns.source == "dataset"
    (reading,), _ = read(row | {"response": "y"})
    assert reading.reason == "`response` doesn't say who speaks"


def test_several_skills():
    several = [
        {"skill": "Ethics", "explanation": "e"},
        {"skill": "Nonsense Magic"},
        {"skill": "Empathy"},
        {"skill": "Ethics"},
    ]
    (reading,), report = read(original(parsed_generation=several))
    assert (reading.row["skill"], reading.row["also"]) == ("Ethics", "Empathy") and report.several == 1
    assert report.labels.unmapped == {"Nonsense Magic": 1} and report.labels.mapped["Ethics"] == 2


def test_reasons():
    readings, report = read(
        original(),
        original(parsed_generation=[{"skill": "Nonsense Magic", "explanation": "e"}]),
        original(parsed_generation="not json"),
        original(parsed_generation=[]),
        original(parsed_generation=None),
        original(dialogue=original()["dialogue"][:1]),
        original(dialogue=[{"utter": "x"}, {"speaker": "b", "utter": "y"}]),
        original(dialogue=[{"speaker": "b", "utter": "y"}, {"utter": "x"}]),
    )
    reasons = [reading.reason for reading in readings]
    assert reasons[:6] == [
        "",
        "a skill that is none of the 39",
        "`parsed_generation` isn't JSON",
        "no skill in the row",
        "`parsed_generation` is null",
        "nothing but the response in the dialogue",
    ]
    assert reasons[6] == reasons[7] and "without a speaker" in reasons[6]  # equal causes, equal words
    assert report.labels.unmapped == {"Nonsense Magic": 1}


def test_columns_that_are_not_there():
    with pytest.raises(ThanosError) as caught:
        detect_columns({"dialogues": [], "skill": "x"})
    assert "no dialogue column: expected one of dialogue, dialog" in str(caught.value)
    assert "found 'dialogues', 'skill' (is 'dialogues' meant? rename it)" in str(caught.value)
    with pytest.raises(
        ThanosError, match="no skill column: expected one of skill, .*parsed_generation.*; found 'dialogue'"
    ):
        detect_columns({"dialogue": []})


def test_commands(tmp_path):
    path, out = tmp_path / "train.json", tmp_path / "out.jsonl"
    path.write_text(json.dumps([original(), original(parsed_generation=[{"skill": "Nonsense Magic"}]), 3]))
    result = CliRunner().invoke(app, ["sources", "check", "released", str(path)])
    assert result.exit_code == 0
    for line in (
        "released: 3 rows, 1 of them usable",
        "dialogue = 'dialogue', annotation = 'parsed_generation'",
        "1 × a skill that is none of the 39 (first: line 2)",
        "1 × not an object (first: line 3)",
        "1 × no skill: 'Nonsense Magic'",
    ):
        assert line in result.output
    result = CliRunner().invoke(app, ["sources", "read", "released", str(path), "-o", str(out)])
    assert result.exit_code == 1 and [json.loads(line)["skill"] for line in out.read_text().splitlines()] == [
        "Image-Sharing"
    ]
    path.write_text('{"text": "x"}')
    result = CliRunner().invoke(app, ["sources", "check", "released", str(path)])
    assert result.exit_code == 1 and "found 'text'" in result.output


def test_rows_in_our_own_form_keep_their_ids():
    row = {
        "id": "soda:5:9",
        "source": "soda",
        "dialogue": [{"speaker": "a", "text": "the last of nine"}],
        "speaker": "b",
        "response": {"speaker": "b", "text": "y"},
        "skill": "Ethics",
        "also": "Empathy",
        "explanation": "e",
    }
    (cut, unknown), _ = read(row, row | {"id": "soda:6:1", "response": None})
    assert cut.row["id"] == "soda:5:9" and cut.row["response"] == row["response"]
    assert cut.row["also"] == "Empathy"
    assert unknown.row["id"] == "soda:6:1" and unknown.row["response"] is None
    assert unknown.row["dialogue"] == row["dialogue"] and unknown.row["speaker"] == "b"
