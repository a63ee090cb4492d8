"""Runs -> report.html."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thanos.bench.read_runs import Run, load_runs
from thanos.bench.report.rows import SHOWN_TURNS
from thanos.bench.report.sections import section_of
from thanos.errors import ThanosError


def write_report(folders: Sequence[Path], path: Path) -> None:
    """Write one page about run folders; the same folders give the same bytes.

    Args:
        folders: Run folders, or folders that hold some. Runs of one task stand side by side.
        path: The page. It is replaced when all of it is there.

    Raises:
        ThanosError: if a folder can't be read, or the page can't be written.
    """
    runs = load_runs(list(folders))
    tasks = list(dict.fromkeys(run.task for run in runs))
    sections = [section_of(task, [run for run in runs if run.task == task]) for task in tasks]
    write_page("bench.html.jinja", path, title=_title(runs, tasks), sections=sections, turns=SHOWN_TURNS)


def write_page(template: str, path: Path, **values: Any) -> None:
    """Render a template of this package, or of `thanos.study`, into a file. Whatever is put in is escaped.

    Raises:
        ThanosError: if jinja2 is missing, or the file can't be written.
    """
    try:
        from jinja2 import ChoiceLoader, Environment, PackageLoader
    except ModuleNotFoundError as error:
        raise ThanosError(f"reports need {error.name}: pip install 'thanos-skill-of-mind[bench]'") from None
    loader = ChoiceLoader([PackageLoader("thanos.bench", "report"), PackageLoader("thanos.study", ".")])
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals["readable"] = readable
    text = environment.get_template(template).render(**values)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise ThanosError(f"can't write {path}: {(error.strerror or str(error)).lower()}") from None


def readable(value: Any) -> str:
    """JSON for people; long texts keep their line breaks."""
    if isinstance(value, dict) and any(isinstance(v, dict) and {"system", "user"} <= v.keys() for v in value.values()):
        return "\n\n".join(_prompt(name, prompt) for name, prompt in value.items())
    return json.dumps(value, ensure_ascii=False, indent=1)


def _prompt(name: str, prompt: dict[str, Any]) -> str:
    return f"== {name} (version {prompt.get('version')}) ==\n[system]\n{prompt['system']}\n[user]\n{prompt['user']}"


def _title(runs: Sequence[Run], tasks: Sequence[str]) -> str:
    models = dict.fromkeys(run.metrics["model"] for run in runs)
    what = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    return f"ThanosBench: {what}, {next(iter(models)) if len(models) == 1 else f'{len(models)} models'}"
