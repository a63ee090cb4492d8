"""The small data run, start to end: raw rows, a real endpoint, a published folder and the way back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from thanos.data.checks import check
from thanos.data.recipe import load_recipe
from thanos.dialogue import read_rows
from thanos.errors import EngineError
from thanos.skills import Skill

pytest.importorskip("xllamacpp", reason="the run's endpoint is llama.cpp's server: pip install xllamacpp")
parquet = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder that the run wrote."""
    from thanos.engines.embedded.base import base_path

    try:
        base_path()
    except EngineError as error:
        pytest.skip(f"no base weights: {error}")
    folder = tmp_path_factory.mktemp("run")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if key not in ("BASE_URL", "OPENAI_BASE_URL")}
    done = subprocess.run(
        ["bash", ROOT / "runs/data_small.sh", folder],
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def rows(path):
    """No rows where there is no file: none failed, or none was dropped."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def published(folder, form):
    return [row for path in sorted((folder / "published" / form).glob("*.parquet")) for row in table(path)]


def table(path):
    return parquet.read_table(path).to_pylist()


def test_no_turn_is_lost_on_the_way(run):
    turns = {row["id"] for row in rows(run / "turns.jsonl")}
    annotated = {row["id"] for row in rows(run / "annotated.jsonl")}
    failed = {row["id"] for row in rows(run / "annotated.failed.jsonl")}
    clean = {row["id"] for row in rows(run / "clean.jsonl")}
    dropped = {row["id"] for row in rows(run / "clean.dropped.jsonl")}
    assert len(turns) == 6 and annotated | failed == turns
    assert clean | dropped == annotated and not clean & dropped
    assert clean == {row["id"] for row in published(run, "data")} == {row["id"] for row in published(run, "standoff")}
    assert clean, f"every row was dropped: {rows(run / 'clean.dropped.jsonl')}"


def test_the_published_rows_obey_the_recipe(run):
    from thanos.data.annotated_turn import read_annotated_turn

    recipe = load_recipe(str(ROOT / "runs/data_small.validate.yaml"))
    for row in read_rows(str(run / "clean.jsonl")):
        assert check(read_annotated_turn(row.dialogue), recipe) is None
    for row in published(run, "data"):
        assert Skill(row["skill"]) and row["model"] == "openai/base" and row["prompt"].startswith("annotate-")


def test_the_card_is_there_and_the_standoff_form_holds_no_dialogue(run):
    assert (run / "published/README.md").read_text().startswith("---\n")
    whole = json.dumps(published(run, "standoff"), ensure_ascii=False)
    for row in published(run, "data"):
        # The explanation may quote a few words; a whole turn it doesn't hold.
        assert all(turn["text"] not in whole for turn in row["dialogue"] if len(turn["text"]) > 20)


def test_the_join_gives_the_same_rows_again(run):
    joined = {row["id"]: row for row in rows(run / "joined.jsonl")}
    clean = {row["id"]: row for row in rows(run / "clean.jsonl")}
    assert joined.keys() == clean.keys()
    for id, row in clean.items():
        for name in ("dialogue", "response", "speaker", "skill", "also", "explanation", "social_context"):
            assert joined[id][name] == row[name], name


def test_the_plots_are_there(run):
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (run / "stats").glob("*.png"))
    assert len(list((run / "stats").glob("*.png"))) == 5 and (run / "stats/stats.html").is_file()
