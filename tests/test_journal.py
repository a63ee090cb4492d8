"""Outputs that survive a kill."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanos import ThanosError
from thanos.longrun import Journal

SETTINGS = {"model": "m", "mode": "explain"}


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_there_at_once_and_found_again(tmp_path):
    path = tmp_path / "new" / "out.jsonl"
    journal = Journal(path, SETTINGS)
    journal.append(3, "c", {"skill": "Empathy"})
    assert rows_of(path) == [{"id": "c", "line": 3, "skill": "Empathy", **SETTINGS}]  # not closed, yet on disk
    journal.close()
    with Journal(path, SETTINGS) as again:
        assert again.resumed == 1 and again.holds(3, "c") and not again.holds(2, "b") and not again.holds(99, "z")


def test_a_line_cut_short_is_dropped(tmp_path):
    path = tmp_path / "out.jsonl"
    with Journal(path, SETTINGS) as journal:
        journal.append(1, "a", {})
        journal.append(2, "b", {})
    whole = path.read_bytes()
    for cut in range(len(whole.splitlines(keepends=True)[0]), len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, SETTINGS) as journal:
            assert journal.holds(1, "a") and not journal.holds(2, "b")
            journal.append(2, "b", {})
        assert path.read_bytes() == whole


def test_failures_are_written_with_their_reason_and_tried_again(tmp_path):
    path = tmp_path / "out.jsonl"
    with Journal(path, SETTINGS) as journal:
        journal.fail(1, "a", "HTTP 500")
        assert rows_of(tmp_path / "out.failed.jsonl") == [{"id": "a", "line": 1, "error": "HTTP 500"}]
    with Journal(path, SETTINGS) as journal:
        assert not journal.holds(1, "a")
        journal.append(1, "a", {})
    assert not (tmp_path / "out.failed.jsonl").exists()


def test_another_runs_file_is_refused(tmp_path):
    path = tmp_path / "out.jsonl"
    with Journal(path, SETTINGS) as journal:
        journal.append(1, "a", {})
    with pytest.raises(ThanosError, match="was begun with model 'm', not 'other'"):
        Journal(path, SETTINGS | {"model": "other"})
    with Journal(path, SETTINGS) as journal, pytest.raises(ThanosError, match="line 1 of the input isn't the row"):
        journal.holds(1, "b")
    for text in ("hello\n", '{"x": 1}\n', "3\n"):
        path.write_text(text)
        with pytest.raises(ThanosError, match="line 1 isn't a row of this command"):
            Journal(path, SETTINGS)
        assert path.read_text() == text  # somebody's file is left as it was


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ThanosError, match="can't write"):
        Journal(tmp_path / "file" / "out.jsonl", SETTINGS)


@given(st.lists(st.tuples(st.integers(1, 50), st.text(max_size=8)), unique_by=lambda pair: pair[0]))
def test_any_order_and_any_ids(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("journal") / "out.jsonl"
    with Journal(path, SETTINGS) as journal:
        for line, id in pairs:
            journal.append(line, id, {"text": id})
    with Journal(path, SETTINGS) as journal:
        assert journal.resumed == len(pairs)
        assert all(journal.holds(line, id) for line, id in pairs)
