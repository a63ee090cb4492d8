"""Batch files: export within the limits, import of whatever comes back, and only what is missing once more."""

import json

import pytest
from annotated_rows import annotated_row, read_jsonl, write_rows
from hypothesis import given
from hypothesis import strategies as st
from test_annotate import ANSWER, turn
from typer.testing import CliRunner

from thanos.annotate import batch_export
from thanos.annotate.batch_export import export
from thanos.annotate.batch_import import ImportReport, _Answers, import_batches
from thanos.annotate.original import import_original
from thanos.cli.app import app
from thanos.errors import ThanosError

MODEL = "openai/gpt-x"


def line(id, text=None, status=200, finish="stop", error=None):
    """One line of an output file."""
    body = {"choices": [{"message": {"content": text}, "finish_reason": finish}], "usage": {"prompt_tokens": 7}}
    if status != 200:
        body = {"error": {"message": "server had an error"}}
    response = None if error else {"status_code": status, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": id, "response": response, "error": error}


GOOD = json.dumps(ANSWER)


def test_requests_are_in_the_form_of_the_api_and_files_within_the_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_export, "MOST_REQUESTS", 7)
    source = write_rows(tmp_path / "t.jsonl", [turn(n) for n in range(20)])
    report = export(str(source), tmp_path / "out", MODEL)
    assert [path.name for path in report.files] == ["batch-0001.jsonl", "batch-0002.jsonl", "batch-0003.jsonl"]
    files = [read_jsonl(path) for path in report.files]
    assert [len(rows) for rows in files] == [7, 7, 6]
    requests = [request for rows in files for request in rows]
    assert [request["custom_id"] for request in requests] == [f"ours:{n}:3" for n in range(20)]
    assert all(
        (r["method"], r["url"], r["body"]["model"]) == ("POST", "/v1/chat/completions", "gpt-x") for r in requests
    )
    assert not list((tmp_path / "out").glob("*.part"))

    monkeypatch.setattr(batch_export, "MOST_BYTES", 40_000)
    report = export(str(source), tmp_path / "out", MODEL)
    sizes = [path.stat().st_size for path in sorted((tmp_path / "out").iterdir())]
    assert len(sizes) == len(report.files) > 3 and max(sizes) <= 40_000


def test_rows_that_cant_be_asked_about_are_told_and_the_others_written(tmp_path):
    source = write_rows(tmp_path / "t.jsonl", [turn(1), turn(1), {"id": "x"}, turn(2)])
    report = export(str(source), tmp_path / "out", MODEL)
    assert report.turns == 2 and [where for where, _ in report.errors] == [2, 3]
    with pytest.raises(ThanosError, match="endpoint"):
        export(str(source), tmp_path / "out", "hf/x")


def outputs(tmp_path):
    """Ten turns, and outputs with every kind of misfortune; turns 0 and 6 have a good answer in the end."""
    source = write_rows(tmp_path / "t.jsonl", [turn(n) for n in range(10)])
    id = lambda n: f"ours:{n}:3"
    first = [
        line(id(6), "no JSON"),
        line(id(1), status=500),
        line(id(2), error={"code": "batch_expired", "message": "This request could not be executed in time."}),
        line(id(3), '{"explanation": "I', finish="length"),
        line(id(4), json.dumps(ANSWER | {"skill": "Astrology"})),
        line(id(0), GOOD),
        line("ours:77:3", GOOD),
        line(id(5)),
    ]
    second = [line(id(6), GOOD), line(id(0), "later and worse")]
    a, b = write_rows(tmp_path / "a.jsonl", first), write_rows(tmp_path / "b.jsonl", second)
    b.write_text(b.read_text() + json.dumps(line(id(7), GOOD))[:-30])
    return source, a, b


def test_import_writes_the_good_and_exports_the_rest_again(tmp_path):
    source, a, b = outputs(tmp_path)
    report = import_batches(str(source), [a, b], tmp_path / "o.jsonl", MODEL)
    rows = {row["id"]: row for row in read_jsonl(tmp_path / "o.jsonl")}
    assert set(rows) == {"ours:0:3", "ours:6:3"} and report.written == 2
    assert {key: rows["ours:0:3"][key] for key in ANSWER} == ANSWER and rows["ours:0:3"]["model"] == MODEL
    assert {key: rows["ours:6:3"][key] for key in turn(6)} == turn(6)
    assert (report.unreadable, report.foreign) == (1, 1) and report.reasons["no answer in the outputs"] == 3
    reasons = {row["id"]: row["error"] for row in read_jsonl(tmp_path / "o.failed.jsonl")}
    assert "500" in reasons["ours:1:3"] and "expired" in reasons["ours:2:3"] and "cut off" in reasons["ours:3:3"]
    assert "Astrology" in reasons["ours:4:3"] and "empty" in reasons["ours:5:3"]
    (again,) = (tmp_path / "o.missing").iterdir()
    asked = read_jsonl(again)
    assert [request["custom_id"] for request in asked] == [f"ours:{n}:3" for n in (1, 2, 3, 4, 5, 7, 8, 9)]

    # The answers to those come in: the same command with the new file alone completes the output.
    c = write_rows(tmp_path / "c.jsonl", [line(request["custom_id"], GOOD) for request in asked])
    report = import_batches(str(source), [c], tmp_path / "o.jsonl", MODEL)
    assert (report.written, report.there, not report.reasons) == (8, 2, True)
    assert sorted(row["line"] for row in read_jsonl(tmp_path / "o.jsonl")) == list(range(1, 11))
    assert not (tmp_path / "o.missing").exists() and not (tmp_path / "o.failed.jsonl").exists()
    report = import_batches(str(source), [a, b, c], tmp_path / "o.jsonl", MODEL)
    assert report.written == 0 and len(read_jsonl(tmp_path / "o.jsonl")) == 10


def test_the_commands_go_together(tmp_path):
    run = lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])
    source = write_rows(tmp_path / "t.jsonl", [turn(n) for n in range(3)])
    result = run("annotate", "export", source, "-o", tmp_path / "b", "-m", MODEL, "--price", "1,4")
    assert result.exit_code == 0 and "3 requests in 1 file" in result.output and "about $0.0" in result.output
    answers = [line(r["custom_id"], GOOD) for r in read_jsonl(tmp_path / "b/batch-0001.jsonl")]
    result = run(
        "annotate", "import", source, write_rows(tmp_path / "a", answers[:2]), "-o", tmp_path / "o.jsonl", "-m", MODEL
    )
    assert result.exit_code == 1 and "2 rows written" in result.output and "the 1 that are missing" in result.output
    result = run(
        "annotate", "import", source, write_rows(tmp_path / "a", answers), "-o", tmp_path / "o.jsonl", "-m", MODEL
    )
    assert result.exit_code == 0 and "1 rows written (2 were there before)" in result.output
    result = run("annotate", "import", source, tmp_path / "none", "-o", tmp_path / "o.jsonl", "-m", MODEL)
    assert isinstance(result.exception, ThanosError) and "can't read" in str(result.exception)


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["body", "status_code", "choices", "message", "content", "error", "code"]), inner
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["custom_id", "response", "error"]), json_values))
def test_no_line_breaks_the_index(value):
    import io

    report = ImportReport()
    answers = _Answers([io.BytesIO(json.dumps(value).encode() + b"\n")], report)
    assert answers.unused() == 0


def original_row(number, **fields):
    row = annotated_row(number)
    turns = [{"speaker": t["speaker"], "utter": t["text"]} for t in [*row["dialogue"], row["response"]]]
    thought = {"skill": "Empathy", "explanation": "I feel for her.", "counterfactual response": "Whatever."}
    base = {"index": f"3:{number}", "dialogue": turns, "social_context_prompt": "They met.", "generation": "..."}
    return base | {"parsed_generation": [thought]} | fields


def test_rows_of_the_original_project_import(tmp_path):
    two = [{"skill": "image sharing", "explanation": "I have it here."}, {"skill": "Ethics", "explanation": "So."}]
    rows = [
        original_row(1),
        original_row(2, parsed_generation=two),
        original_row(3, parsed_generation=json.dumps([{"skill": "Astrology", "explanation": "Stars."}])),
        original_row(4, parsed_generation=None),
    ]
    source = write_rows(tmp_path / "original.jsonl", rows)
    for written in (2, 0):
        report = import_original(str(source), tmp_path / "o.jsonl")
        assert report.written == written and report.several == 1 and report.unknown == {"Astrology": 1}
    first, second = read_jsonl(tmp_path / "o.jsonl")
    expected = annotated_row(1)
    assert first["dialogue"] == expected["dialogue"] and first["response"] == expected["response"]
    assert (first["skill"], first["explanation"], first["social_context"]) == (
        "Empathy",
        "I feel for her.",
        "They met.",
    )
    assert (second["skill"], second["also"]) == ("Image-Sharing", "Ethics")
    assert len(read_jsonl(tmp_path / "o.failed.jsonl")) == 2
    result = CliRunner().invoke(app, ["annotate", "import", str(source), "-o", str(tmp_path / "p.jsonl")])
    assert result.exit_code == 1 and "2 rows written" in result.output
