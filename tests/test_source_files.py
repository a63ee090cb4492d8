"""The same rows from every kind of file, in constant memory; the commands that read them."""

import dataclasses
import json
import tracemalloc
from itertools import islice

import pytest
import source_rows as rows
from typer.testing import CliRunner

from thanos import ThanosError
from thanos.cli.app import app
from thanos.dialogue import read_rows
from thanos.sources import RawRow, find_source, open_source, read_dialogues, read_source, rows_of_file, rows_of_hub
from thanos.sources import registry as registry_module

CHATS = [rows.photochat(dialogue_id=n) for n in range(3)]


def jsonl(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def run(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=True)


def test_jsonl_json_and_parquet_hold_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    lines = jsonl(tmp_path / "a.jsonl", CHATS)
    listed = tmp_path / "a.json"
    listed.write_text("\n" + json.dumps(CHATS, indent=2), encoding="utf-8")
    table = tmp_path / "a.bin"  # what it is shows in its first bytes, not in its name
    parquet.write_table(pyarrow.Table.from_pylist(CHATS), table)
    expected = list(read_dialogues("photochat", lines))
    assert len(expected) == 3
    assert list(read_dialogues("photochat", listed)) == expected
    assert list(read_dialogues("photochat", table)) == expected


def test_stark_from_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    path = tmp_path / "stark.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([rows.stark_hub()]), path)
    assert [dialogue.id for dialogue in read_dialogues("stark", path)] == ["0:5-xWant:session1", "0:5-xWant:session2"]


def test_a_hub_release_is_read_through_datasets(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    jsonl(tmp_path / "train.jsonl", [rows.syn_persona_chat() for _ in range(2)])
    jsonl(tmp_path / "validation.jsonl", [rows.syn_persona_chat()])
    local = dataclasses.replace(find_source("syn_persona_chat"), hub_id=str(tmp_path))
    monkeypatch.setitem(registry_module.SOURCES, "syn_persona_chat", local)
    assert [dialogue.id for dialogue in read_dialogues("syn_persona_chat", hub=True)] == ["0", "1"]
    # Places in another split say which, so that ids stay unique.
    assert [d.id for d in read_dialogues("syn_persona_chat", hub=True, split="validation")] == ["validation-0"]
    with pytest.raises(ThanosError, match=r"can't fetch .*; give a local file instead"):
        next(rows_of_hub(str(tmp_path / "nothing")))


def test_nothing_is_fetched_unless_asked():
    with pytest.raises(ThanosError, match="soda: give a file, or --hub to fetch allenai/soda"):
        open_source("soda")


def test_bad_lines_stand_beside_good_ones(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(CHATS[0]).encode() + b"\n\n{broken\n[1]\n\xff\n" + json.dumps(CHATS[1]).encode()
    )
    readings = list(open_source("photochat", path))
    assert [(r.line, r.reasons) for r in readings] == [
        (1, []),
        (3, ["not JSON"]),
        (4, ["not an object"]),
        (5, ["not UTF-8"]),
        (6, []),
    ]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]"])
def test_an_empty_file_is_an_error(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ThanosError, match="holds no rows"):
        list(rows_of_file(path))


def test_broken_files_are_errors(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2")
    with pytest.raises(ThanosError, match="not a JSON list"):
        list(rows_of_file(tmp_path / "a.json"))
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing behind it")
    with pytest.raises(ThanosError, match="as Parquet"):
        list(rows_of_file(tmp_path / "a.parquet"))


def test_dialogues_over_several_rows_are_read_in_constant_memory():
    def conversations(n):
        for c in range(n):
            for k in range(4):
                yield RawRow(4 * c + k + 1, str(4 * c + k), rows.persuasion_for_good(k, B2=f"d{c}"))

    def peak(n):
        tracemalloc.start()
        found = sum(
            len(reading.dialogues) for reading in read_source(find_source("persuasion_for_good"), conversations(n))
        )
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == n
        return used

    peak(10)
    assert peak(2000) < peak(20) + 100_000


def test_the_first_dialogue_comes_before_the_last_row_is_read():
    def endless():
        n = 0
        while True:
            yield RawRow(n + 1, str(n), rows.empathetic_dialogues(n % 4 + 1, conv_id=f"c{n // 4}"))
            n += 1

    first = list(islice(read_source(find_source("empathetic_dialogues"), endless()), 3))
    assert [reading.dialogues[0].id for reading in first] == ["c0", "c1", "c2"]


def test_sources_command_lists_them(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    result = run("sources")
    assert result.exit_code == 0
    for part in ("allenai/soda", "CC BY-NC-SA 4.0", "1,486,896", "rules of thumb of the very reply"):
        assert part in result.output


def test_check_counts_and_gives_reasons(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", [rows.soda(), rows.soda(dialogue=None), rows.soda(dialogue=None), {"x": 1}])
    result = run("sources", "check", "soda", path)
    assert result.exit_code == 0
    assert result.output == (
        "soda: 4 rows, 1 of them gave 1 dialogues with 3 turns\n"
        "        2 × `dialogue` is null (first: line 2)\n"
        "        1 × `dialogue` is missing (first: line 4)\n"
    )


def test_check_exits_1_if_nothing_parses_or_can_be_read(tmp_path):
    assert run("sources", "check", "soda", jsonl(tmp_path / "a.jsonl", [{"x": 1}])).exit_code == 1
    result = run("sources", "check", "soda", tmp_path / "absent.jsonl")
    assert result.exit_code == 1 and "no such file" in result.output
    assert isinstance(run("sources", "check", "sodda", tmp_path / "a.jsonl").exception, ThanosError)


def test_check_names_parts(tmp_path):
    opening = rows.prosocial_dialog(response=None, dialogue_id=None, response_id=None)
    result = run("sources", "check", "prosocial_dialog", jsonl(tmp_path / "a.jsonl", [opening]))
    assert "1 × only an opening, without the response" in result.output


def test_read_writes_rows_that_the_project_reads_again(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", [*CHATS, {"dialogue": None}])
    out = tmp_path / "new" / "out.jsonl"
    result = run("sources", "read", "photochat", path, "-o", out)
    assert result.exit_code == 1 and "3 dialogues" in result.output and "1 rows gave none" in result.output
    assert [row.dialogue for row in read_rows(str(out))] == list(read_dialogues("photochat", path))
    failed = [json.loads(line) for line in out.with_name("out.failed.jsonl").read_text().splitlines()]
    assert failed == [{"id": None, "line": 4, "error": "`dialogue` is null"}]
    result = run("sources", "read", "photochat", path, "-o", out, "--limit", 2)
    assert result.exit_code == 0 and len(out.read_text().splitlines()) == 2
    assert sorted(file.name for file in out.parent.iterdir()) == ["out.jsonl"]  # no old failures, no half files


def test_an_error_leaves_the_old_output(tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("old\n")
    assert isinstance(run("sources", "read", "soda", tmp_path / "absent", "-o", out).exception, ThanosError)
    assert out.read_text() == "old\n" and len(list(tmp_path.iterdir())) == 1
