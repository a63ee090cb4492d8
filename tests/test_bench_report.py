"""The report page and the paired comparison of runs."""

import json
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
from bench_runs import SKILLS, number, response_rows, skill_rows, turns, write_run
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU
from scipy import stats
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from thanos.bench.compare import compare_folders, paired_bootstrap
from thanos.bench.metrics.bootstrap import Resample
from thanos.bench.metrics.overlap import bleu_counts
from thanos.bench.metrics.wilson import wilson
from thanos.bench.read_runs import load_runs
from thanos.bench.report import write_report
from thanos.bench.report.charts import bar, heat_map
from thanos.bench.report.numbers import scale_of
from thanos.bench.report.rows import SHOWN, read_findings
from thanos.cli.app import app
from thanos.errors import ThanosError

HOSTILE = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Tags and attributes of a page, and the text outside of style."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.text, self._inside = "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += attributes
        if tag not in ("meta", "img", "br"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        assert self._inside and self._inside.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if "style" not in self._inside:
            self.text += data + " "


def page_of(path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def confusion(rows):
    counts = [[sum(r["target"] == t and r["prediction"] == p for r in rows) for p in SKILLS] for t in SKILLS]
    return {"labels": SKILLS, "rows": SKILLS, "columns": [*SKILLS, "(invalid)"], "counts": [[*c, 0] for c in counts]}


def test_a_page_of_several_models_shows_every_number_and_needs_nothing_else(tmp_path):
    for model, accuracy in (("embedded", 0.8), ("tfidf", 0.3)):
        rows = skill_rows(80, accuracy)
        write_run(
            tmp_path / "skill" / model,
            rows,
            model,
            confusion=confusion(rows),
            per_source={"ours": {"top1": number(accuracy, 40)}},
            per_skill={"Empathy": {"f1": number(accuracy, 4)}, "Echoing": {"f1": number(0.5, 2)}},
            reference={"ceiling": 1.0, "majority_label": 0.2, "chance": 0.03},
        )
    write_report([tmp_path], tmp_path / "report.html")
    page = page_of(tmp_path / "report.html")
    assert "2 models" in page.text and "majority label 20.0%" in page.text
    for run in load_runs([tmp_path]):
        assert f"{100 * run.metrics['metrics']['top1']['value']:.1f}%" in page.text
    assert "Difference from embedded" in page.text and "Interpersonal Skills" in page.text
    # No address of another file: nothing to fetch.
    assert not {"script", "link", "img", "iframe"} & page.tags.keys()
    assert not [value for name, value in page.attributes if name in ("src", "href") and not value.startswith("#")]


def test_the_same_runs_give_the_same_bytes(tmp_path):
    run = write_run(tmp_path / "run", skill_rows(30, 0.5))
    for name in ("a.html", "b.html"):
        write_report([run], tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_no_text_of_a_run_is_read_as_html(tmp_path):
    rows = skill_rows(6, 0.0)
    for row in rows:
        row |= {"id": row["id"] + HOSTILE, "social_context": HOSTILE, "explanation": HOSTILE, "prediction": HOSTILE}
        row |= {"skill": HOSTILE, "scores": {HOSTILE: 0.5}, "target": HOSTILE, "also": HOSTILE}
        row["dialogue"] = [{"speaker": HOSTILE, "text": HOSTILE, "image": HOSTILE}]
    rows[0] |= {"valid": False, "raw": HOSTILE, "error": HOSTILE}
    matrix = {"labels": [HOSTILE], "rows": [HOSTILE], "columns": [HOSTILE], "counts": [[3]]}
    run = write_run(
        tmp_path / "run",
        rows,
        HOSTILE,
        HOSTILE,
        confusion=matrix,
        per_source={HOSTILE: {"top1": number(0.5)}},
        per_skill={HOSTILE: {HOSTILE: number(0.5)}},
        reference={HOSTILE: 0.5},
    )
    write_report([run], tmp_path / "report.html")
    page = page_of(tmp_path / "report.html")
    assert not {"script", "img"} & page.tags.keys()
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(HOSTILE) > 30


def test_replies_in_arms_are_tabled_by_arm(tmp_path):
    rows = response_rows(5)
    names = ("win_rate/both against plain", "bleu4/both", "bleu4/plain", "words/both", "words/plain")
    values = dict(zip(names, map(number, (0.6, 3.2, 2.9, 14.5, 12.0)), strict=True))
    run = write_run(tmp_path / "run", rows, "embedded/base", "response", metrics=values)
    write_report([run], tmp_path / "report.html")
    text = page_of(tmp_path / "report.html").text
    assert "60.0" in text and "both against plain" in text
    # BLEU counts to 100, words are words: neither is a share of 1.
    assert "3.2" in text and "320" not in text and "14.5" in text


def test_worst_rows_are_the_surest_mistakes_and_unusable_ones_stand_apart():
    rows = skill_rows(200, 0.5)
    rows[3] |= {"valid": False, "error": "HTTP 500"}
    found = read_findings(rows, "top1")
    assert len(found.worst) == SHOWN and found.unreadable == [rows[3]]
    wrong = [r for r in rows if r["valid"] and r["credit"]["top1"] == 0]
    sure = lambda row: row["scores"][row["skill"]]
    assert list(map(sure, found.worst)) == sorted(map(sure, wrong), reverse=True)[:SHOWN]
    assert sum(b.n for b in found.bins) == 199


def test_rows_without_probabilities_are_ranked_by_credit():
    rows = response_rows(30)
    for i, row in enumerate(rows):
        row["credit"] = {"rougeL/both": i / 30}
    assert [row["id"] for row in read_findings(rows, "rougeL/both").worst] == [f"ours:{i}:3" for i in range(SHOWN)]


def test_wilson_is_scipys():
    for right, n in ((0, 4), (3, 7), (50, 60)):
        low, high = wilson(right / n, n)
        wanted = stats.binomtest(right, n).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-4)


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=4), st.floats(0.01, 2))
def test_bars_stay_within_their_width(values, top):
    drawn = Page(str(bar(values[0], min(values), max(values), top, values)))
    places = [float(v) for name, v in drawn.attributes if name in ("width", "x1", "x2")]
    assert all(0 <= place <= 100 for place in places)


def test_a_heat_map_has_a_cell_for_every_pair_and_a_number_for_every_count():
    drawn = Page(str(heat_map(["a", "b"], ["a", "b", "c"], [[3, 0, 1], [0, 0, 0]])))
    assert drawn.tags["rect"] == 6 + 2 and drawn.tags["title"] == 2
    assert "a: 1 times c (25%)" in drawn.text


@pytest.mark.parametrize(
    "metric, value, shown", [("top1", 0.5, "50.0"), ("bleu4/both", 0.5, "0.5"), ("words", 12, "12.0")]
)
def test_scales(metric, value, shown):
    assert scale_of(metric, [number(value)]).number(value) == shown


def test_folders_that_are_no_runs_are_refused_in_one_line(tmp_path):
    with pytest.raises(ThanosError, match="no run in"):
        load_runs([tmp_path])
    (tmp_path / "metrics.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ThanosError, match="isn't a run's metrics"):
        load_runs([tmp_path])
    (tmp_path / "metrics.json").unlink()
    empty = write_run(tmp_path / "empty", [])
    with pytest.raises(ThanosError, match="it lacks task, model, n or metrics"):
        load_runs([empty])
    run = write_run(tmp_path / "run", skill_rows(2, 1))
    (run / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ThanosError, match="line 1 isn't a row"):
        write_report([run], tmp_path / "report.html")


def test_runs_of_one_model_are_told_apart_by_folder(tmp_path):
    for name in ("one", "two"):
        write_run(tmp_path / name, skill_rows(4, 1))
    labels = [run.label for run in load_runs([tmp_path])]
    assert len(set(labels)) == 2 and labels[0].endswith("one)")


def test_comparison_pairs_rows_and_names_what_it_could_not_pair(tmp_path):
    a = write_run(tmp_path / "a", skill_rows(60, 0.9, seed=1), "A")
    rows = skill_rows(60, 0.4, seed=2)[:50]
    rows[0]["dialogue"] = turns(99)
    rows[1]["credit"]["top1"] = None
    rows += [rows[2], rows[3] | {"id": "ours:999:3"}]
    b = write_run(tmp_path / "b", rows, "B", versions={"task": 2})
    (b / "config.json").write_text('{"task": "skill", "model": "B", "limit": 50}', encoding="utf-8")
    found = compare_folders(a, b)
    [top1] = found.differences
    assert found.rows == 49 and top1.difference["n"] == 48 and top1.unscored == 1
    both = [(x, y) for x, y in zip(skill_rows(60, 0.9, seed=1), rows[:50], strict=False)][2:]
    wanted = np.mean([y["credit"]["top1"] - x["credit"]["top1"] for x, y in both])
    assert top1.difference["value"] == pytest.approx(wanted) and top1.a - top1.b == pytest.approx(-wanted)
    assert top1.difference["high"] < 0 and top1.p < 0.01
    notes = "\n".join(found.notes)
    for part in (
        "10 rows of A not paired",
        "1 row of B not paired",
        "ours:999:3",
        "1 row left out: dialogue or target differ",
        "B: 1 row left out: id and seed occur before",
        "differ in limit: None and 50",
        "differ in the task's version: 1 and 2",
    ):
        assert part in notes


def test_a_run_does_not_differ_from_itself(tmp_path):
    run = write_run(tmp_path / "a", skill_rows(40, 0.5))
    [top1] = compare_folders(run, run).differences
    assert top1.difference == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 40} and top1.p == 1


def test_unlike_runs_are_refused(tmp_path):
    a = write_run(tmp_path / "x" / "a", skill_rows(4, 1))
    b = write_run(tmp_path / "x" / "b", response_rows(4), task="response")
    c = write_run(tmp_path / "c", [row | {"id": row["id"] + "0"} for row in skill_rows(4, 1)])
    with pytest.raises(ThanosError, match="the task skill with response"):
        compare_folders(a, b)
    with pytest.raises(ThanosError, match="no row in common"):
        compare_folders(a, c)
    with pytest.raises(ThanosError, match="holds 2 runs"):
        compare_folders(tmp_path / "x", a)


def test_the_interval_of_a_difference_is_scipys_bootstrap():
    rng = np.random.default_rng(5)
    a, b = rng.random(300), rng.random(300) + 0.1
    difference, _ = paired_bootstrap(list(a), list(b), Resample([str(i) for i in range(300)]))
    wanted = stats.bootstrap((b - a,), np.mean, method="percentile", rng=1).confidence_interval
    assert (difference["low"], difference["high"]) == pytest.approx((wanted.low, wanted.high), abs=0.006)


def test_macro_f1_and_bleu_are_compared_too(tmp_path):
    """They aren't means over rows: each draw computes them anew, for both runs on the same dialogues."""
    rows = {name: skill_rows(78, accuracy, seed=4) for name, accuracy in (("a", 0.8), ("b", 0.5))}
    for name, of_run in rows.items():
        for row in of_run:
            said = f"the {row['prediction']} of it all, I say"
            row["bleu_counts"] = bleu_counts(said, f"the {row['target']} of it all, I say")
        write_run(tmp_path / name, of_run, name, confusion={"labels": SKILLS, "rows": [], "columns": [], "counts": []})
    found = {d.metric: d for d in compare_folders(tmp_path / "a", tmp_path / "b").differences}
    for side in ("a", "b"):
        truth, said = ([row[key] for row in rows[side]] for key in ("target", "prediction"))
        f1 = f1_score(truth, said, average="macro", labels=sorted(set(truth)), zero_division=0)
        assert getattr(found["macro_f1"], side) == pytest.approx(f1)
        texts = [f"the {name} of it all, I say" for name in said], [f"the {name} of it all, I say" for name in truth]
        assert getattr(found["bleu4"], side) == pytest.approx(BLEU().corpus_score(texts[0], [texts[1]]).score)
    for d in (found["macro_f1"], found["bleu4"]):
        assert d.difference["value"] == pytest.approx(d.b - d.a) and d.difference["high"] < 0 and d.p < 0.05


def test_p_is_even_where_there_is_no_difference():
    """Under the null hypothesis p falls below 0.1 in about a tenth of the cases, and 0.5 in about half of them."""
    rng = np.random.default_rng(0)
    names = [str(i) for i in range(80)]
    ps = []
    for seed in range(150):
        a, b = rng.integers(0, 2, (2, 80)).astype(float)
        ps.append(paired_bootstrap(list(a), list(b), Resample(names, seed))[1])
    ps = np.array(ps)
    assert 0.04 < (ps < 0.1).mean() < 0.18 and 0.38 < (ps < 0.5).mean() < 0.62


def test_whole_dialogues_are_drawn():
    """Rows that repeat each other within a dialogue must not look like independent ones."""
    rng = np.random.default_rng(1)
    b = np.repeat(rng.normal(0.1, 1, 40), 5)
    spread = lambda clusters: (lambda d: d["high"] - d["low"])(
        paired_bootstrap([0.0] * 200, list(b), Resample(clusters))[0]
    )
    assert spread([str(i // 5) for i in range(200)]) > 1.8 * spread([str(i) for i in range(200)])


def test_commands(tmp_path):
    a = write_run(tmp_path / "runs" / "a", skill_rows(60, 0.9), "embedded")
    b = write_run(tmp_path / "runs" / "b", skill_rows(60, 0.2), "tfidf")
    run = CliRunner().invoke
    result = run(app, ["bench", "report", str(tmp_path / "runs"), "-o", str(tmp_path / "out" / "page.html")])
    assert result.exit_code == 0, result.output
    assert "2 models" in page_of(tmp_path / "out" / "page.html").text
    result = run(app, ["bench", "compare", str(a), str(b)])
    assert result.exit_code == 0 and "top1" in result.output and "60 rows" in result.output
    found = json.loads(run(app, ["bench", "compare", str(a), str(b), "--json"]).stdout)
    assert found["differences"][0]["metric"] == "top1" and found["differences"][0]["p"] < 0.01
