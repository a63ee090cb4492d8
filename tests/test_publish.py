"""Publishing, and the way back from the stand-off form."""

import json

import pytest
import yaml
from annotated_rows import annotated_row, read_jsonl, write_rows
from typer.testing import CliRunner

from thanos.cli.app import app
from thanos.data.join import join_files
from thanos.data.publish import publish
from thanos.data.standoff import digest, standoff_row
from thanos.errors import ThanosError

parquet = pytest.importorskip("pyarrow.parquet")

REJECTED = {"explanation": "Or I could scold him.", "skill": "Ethics"}


def parts(tmp_path):
    rows = [annotated_row(n, rejected=REJECTED, model="openai/m", prompt="annotate-1", extra=1) for n in range(9)]
    rows[3]["dialogue"][1] = {"speaker": "Tom", "text": "", "image": "a red bicycle"}
    rows[4] = annotated_row(4, response=None, also="Ethics")
    (tmp_path / "parts").mkdir()
    write_rows(tmp_path / "parts/train.jsonl", rows[:7])
    write_rows(tmp_path / "parts/test.jsonl", rows[7:])
    return rows


def plain(turn):
    return {key: value for key, value in turn.items() if value is not None}


def test_parquet_holds_the_rows_and_standoff_holds_no_text(tmp_path):
    rows = parts(tmp_path)
    report = publish(tmp_path / "parts", tmp_path / "out", "Skills")
    assert report.rows == {"train": 7, "test": 2} and not report.bad
    made = [
        row
        for name in ("train", "test")
        for row in parquet.read_table(tmp_path / f"out/data/{name}.parquet").to_pylist()
    ]
    assert [row["id"] for row in made] == [row["id"] for row in rows]
    for row, original in zip(made, rows, strict=True):
        assert [plain(turn) for turn in row["dialogue"]] == original["dialogue"]
        assert (row["response"] and plain(row["response"])) == original["response"]
        for name in ("source", "social_context", "speaker", "skill", "also", "explanation"):
            assert row[name] == original[name]
        assert row["rejected"] == original.get("rejected") and row["model"] == original.get("model")
    table = parquet.read_table(tmp_path / "out/standoff/train.parquet")
    assert {"dialogue", "response", "social_context"}.isdisjoint(table.column_names)
    standoff = json.dumps(table.to_pylist())
    assert all(turn["text"] not in standoff for row in rows for turn in row["dialogue"] if turn["text"])
    assert not list((tmp_path / "out").rglob("*.part"))


def test_an_empty_part_is_left_out(tmp_path):
    parts(tmp_path)
    (tmp_path / "parts/validation.jsonl").touch()
    report = publish(tmp_path / "parts", tmp_path / "out", "Skills")
    assert report.rows == {"train": 7, "test": 2}
    assert {path.stem for path in (tmp_path / "out").rglob("*.parquet")} == {"train", "test"}
    assert "validation" not in (tmp_path / "out/README.md").read_text().split("---")[1]


def test_a_part_of_an_earlier_split_goes(tmp_path):
    parts(tmp_path)
    publish(tmp_path / "parts", tmp_path / "out", "Skills")
    (tmp_path / "parts/test.jsonl").unlink()
    publish(tmp_path / "parts", tmp_path / "out", "Skills")
    assert {path.name for path in (tmp_path / "out").rglob("*.parquet")} == {"train.parquet"}


def test_the_card_is_one_that_datasets_can_load(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    rows = parts(tmp_path)
    publish(tmp_path / "parts", tmp_path / "out", 'Skills: "the" set\n# no heading')
    card = (tmp_path / "out/README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["size_categories"] == ["n<1K"] and [c["config_name"] for c in front["configs"]] == [
        "default",
        "standoff",
    ]
    assert "| train | 7 |" in card and "8 turns: annotated by openai/m with the prompt annotate-1" in card
    assert "| Empathy | Interpersonal Skills | 9 |" in card and "$" not in card
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == {"train": 7, "test": 2}
    assert loaded["train"][0]["explanation"] == rows[0]["explanation"]
    loaded = datasets.load_dataset(str(tmp_path / "out"), "standoff", cache_dir=str(tmp_path / "cache"))
    assert loaded["test"][0]["id"] == rows[7]["id"]


def test_publishing_the_same_rows_gives_the_same_bytes(tmp_path):
    parts(tmp_path)
    for name in ("a", "b"):
        publish(tmp_path / "parts", tmp_path / name, "T")
    files = [path.relative_to(tmp_path / "a") for path in sorted((tmp_path / "a").rglob("*")) if path.is_file()]
    assert len(files) == 5
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in files)


def test_bad_rows_are_named_and_an_empty_folder_refused(tmp_path):
    parts(tmp_path)
    with (tmp_path / "parts/test.jsonl").open("a") as file:
        file.write("{\n" + json.dumps(annotated_row(1, skill="Weather")) + "\n")
    report = publish(tmp_path / "parts", tmp_path / "out", "T")
    assert report.bad == 2 and "line 3" in report.faults[0] and "Weather" in report.faults[1]
    with pytest.raises(ThanosError, match=r"holds none of train\.jsonl"):
        publish(tmp_path, tmp_path / "out", "T")


def test_join_brings_the_rows_back(tmp_path):
    rows = parts(tmp_path)
    publish(tmp_path / "parts", tmp_path / "out", "T")
    drop = ("skill", "also", "explanation", "rejected", "model", "prompt", "extra")
    turns = [{key: value for key, value in row.items() if key not in drop} for row in rows]
    turns[1]["dialogue"][0]["text"] = "Something else was said."
    turns[2]["dialogue"][0]["text"] += "  !"
    turns[2]["social_context"] = "Rendered in other words."
    turns.insert(0, {**turns[0], "id": "ours:77:3"})
    del turns[-1]
    source = write_rows(tmp_path / "turns.jsonl", turns)
    files = sorted((tmp_path / "out/standoff").iterdir())
    report = join_files(files, tmp_path / "joined.jsonl", turns=str(source))
    assert (report.joined, report.changed, report.missing) == (7, ["ours:1:3"], 1)
    joined = {row["id"]: row for row in read_jsonl(tmp_path / "joined.jsonl")}
    for n in (0, 3, 4):
        expected = {key: value for key, value in rows[n].items() if key not in ("model", "prompt", "extra")}
        assert joined[f"ours:{n}:3"] == expected
    for given in ({}, {"turns": "x", "hub": True}):
        with pytest.raises(ThanosError, match="give --turns"):
            join_files(files, tmp_path / "j.jsonl", **given)
    with pytest.raises(ThanosError, match="no stand-off rows"):
        join_files([source], tmp_path / "j.jsonl", turns=str(source))


def test_a_turn_is_found_under_another_head(tmp_path):
    """Some versions name a source's file or part in its ids."""
    row = annotated_row(1, source="ours")
    write_rows(tmp_path / "standoff.jsonl", [standoff_row(row | {"id": "ours_context:1:3"})])
    write_rows(tmp_path / "turns.jsonl", [row])
    report = join_files([tmp_path / "standoff.jsonl"], tmp_path / "joined.jsonl", turns=str(tmp_path / "turns.jsonl"))
    assert (report.joined, report.missing) == (1, 0)
    assert read_jsonl(tmp_path / "joined.jsonl")[0]["id"] == "ours_context:1:3"


def test_a_dialogue_that_was_cut_at_its_beginning_is_found(tmp_path):
    whole = annotated_row(5, turn=9)
    cut = whole | {"dialogue": whole["dialogue"][4:]}
    source = write_rows(tmp_path / "turns.jsonl", [whole])
    report = join_files(
        [write_rows(tmp_path / "s.jsonl", [standoff_row(cut)])], tmp_path / "j.jsonl", turns=str(source)
    )
    assert report.joined == 1 and read_jsonl(tmp_path / "j.jsonl")[0]["dialogue"] == cut["dialogue"]


def test_the_digest_sees_words_and_speakers_and_not_how_they_are_set(tmp_path):
    row = annotated_row(1)
    same = json.loads(json.dumps(row).replace("I was", "I  was,"))
    other = json.loads(json.dumps(row).replace('"Tom"', '"Tim"'))
    assert digest(row) == digest(same) != digest(other)


def test_real_annotations_join_with_real_sources(shared, tmp_path):
    rows = [r for r in read_jsonl(shared / "data/annotated/validation.jsonl") if r["source"] != "prosocial_dialog"]
    annotations = write_rows(tmp_path / "s.jsonl", [standoff_row(row) for row in rows])
    arguments = ["data", "join", annotations, "-o", tmp_path / "j.jsonl", "--data", shared / "data/sources"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "rows joined" in result.output
    assert len(read_jsonl(tmp_path / "j.jsonl")) > 0.98 * len(rows)
