"""Statistics, their pictures and page, and the agreement of two annotations."""

import re
import struct

import pytest
from annotated_rows import annotated_row, read_jsonl, write_rows
from typer.testing import CliRunner

from thanos.cli.app import app
from thanos.data.agreement import compare
from thanos.data.page import write_page
from thanos.data.plots import draw_all, save
from thanos.data.stats import collect_stats
from thanos.errors import ThanosError

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("datasketch")


def noisy_rows():
    rows = [annotated_row(n, turn, skill=s) for n, turn, s in ((1, 3, "Empathy"), (1, 5, "Ethics"), (2, 3, "empathy"))]
    rows += [annotated_row(2, 3, skill="Ethics"), annotated_row(3, skill="Weather"), annotated_row(4, skill=None)]
    rows += [annotated_row(5, source="theirs", skill="Rhetoric", also="Ethics", explanation="", response=None)]
    return rows


def test_everything_is_counted(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", noisy_rows())
    path.write_text(path.read_text() + "broken\n\n")
    faults = []
    stats = collect_stats([path], on_fault=lambda *fault: faults.append(fault))
    assert (stats.rows, stats.dialogues, stats.bad, stats.no_reply) == (7, 5, 1, 1) and faults[0][0] == 8
    assert stats.skills == {"ours": {"Empathy": 2, "Ethics": 2}, "theirs": {"Rhetoric": 1}}
    assert stats.by_category() == {"Interpersonal Skills": 4, "Communication & Listening Skills": 1}
    assert stats.also == {"Ethics": 1}
    assert stats.turns == {3: 6, 5: 1}
    assert stats.noise == {
        "spelled otherwise": 1, "unknown skill": 1, "no skill": 1, "no explanation": 1, "same turn, another skill": 1
    }  # fmt: skip
    assert stats.relabelled == {"empathy -> Empathy": 1} and stats.unknown == {"Weather": 1}
    assert sum(stats.explanation_words.values()) == 6 and sum(stats.response_words.values()) == 6


def test_plots_are_pictures_and_repeat_byte_for_byte(tmp_path):
    stats = collect_stats([write_rows(tmp_path / "a.jsonl", noisy_rows())])
    paths = save(draw_all(stats), tmp_path)
    first = [path.read_bytes() for path in paths]
    for data in first:
        width, height = struct.unpack(">II", data[16:24])
        assert data.startswith(b"\x89PNG") and width > 400 and height > 100
    assert [path.read_bytes() for path in save(draw_all(stats), tmp_path)] == first


def test_the_page_holds_all_it_shows_and_escapes_names(tmp_path):
    rows = [annotated_row(1, source="<b>odd</b>")]
    stats = collect_stats([write_rows(tmp_path / "a.jsonl", rows)])
    pictures = save(draw_all(stats), tmp_path)
    write_page(stats, pictures, tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures) and not re.search(r'(src|href)="(?!data:)', page)
    assert "&lt;b&gt;odd" in page and "<b>odd" not in page
    assert len(re.findall(r"<tr><td>", page)) == 39


def test_without_a_skill_there_is_nothing_to_draw(tmp_path):
    with pytest.raises(ThanosError, match="nothing to draw"):
        draw_all(collect_stats([write_rows(tmp_path / "a.jsonl", [annotated_row(1, skill=None)])]))


def test_agreement_by_hand(tmp_path):
    """Four turns, two skills: 3 of 4 agree; chance is (2*1 + 2*3)/16 = 0.5, so kappa is 0.5."""
    first = [annotated_row(n, skill=s) for n, s in enumerate(["Ethics", "Ethics", "Empathy", "Empathy", "Rhetoric"])]
    second = [annotated_row(n, skill=s) for n, s in enumerate(["Empathy", "ethics", "Empathy", "Empathy"])]
    first[0]["also"] = "Empathy"
    second += [annotated_row(9), annotated_row(10, skill="nothing such")]
    faults = []
    result = compare(write_rows(tmp_path / "a", first), write_rows(tmp_path / "b", second), faults.append)
    assert (result.items, result.agreed, result.within_also, result.only_a, result.only_b) == (4, 3, 4, 1, 1)
    assert result.raw == 0.75 and result.kappa == pytest.approx(0.5)
    assert result.confusion[("Ethics", "Empathy")] == 1 and len(faults) == 1


def test_agreement_needs_common_turns(tmp_path):
    with pytest.raises(ThanosError, match="no turn in common"):
        compare(write_rows(tmp_path / "a", [annotated_row(1)]), write_rows(tmp_path / "b", [annotated_row(2)]))


def test_commands_from_validation_to_page(shared, tmp_path):
    run = lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])
    source = shared / "data/annotated/validation.jsonl"
    result = run("data", "validate", source, "-o", tmp_path / "good.jsonl")
    assert result.exit_code == 0, result.output
    kept = read_jsonl(tmp_path / "good.jsonl")
    assert 700 < len(kept) <= 728
    result = run("data", "split", tmp_path / "good.jsonl", "-o", tmp_path / "parts")
    assert result.exit_code == 0, result.output
    result = run("data", "stats", *(tmp_path / "parts").glob("*.jsonl"), "-o", tmp_path / "stats")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "stats/stats.html").stat().st_size > 100_000
    assert f'"rows": {len(kept)}' in (tmp_path / "stats/stats.json").read_text()
    result = run("annotate", "agreement", source, tmp_path / "good.jsonl", "--json")
    assert result.exit_code == 0 and '"raw_agreement": 1.0' in result.output


def test_a_missing_file_is_one_line(tmp_path):
    result = CliRunner().invoke(app, ["data", "split", str(tmp_path / "none.jsonl"), "-o", str(tmp_path)])
    assert isinstance(result.exception, ThanosError) and "can't read" in str(result.exception)
