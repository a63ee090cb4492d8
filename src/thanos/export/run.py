"""An export from start to end: look at what there is, write aside, rename, compare, report."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanos.engines.hf.load import load_tokenizer
from thanos.errors import ThanosError
from thanos.export.adapter import with_adapter
from thanos.export.check_rows import draw_rows
from thanos.export.compare import compare, write_disagreements
from thanos.export.forms import check_output, choose_quantisation
from thanos.export.gguf_file import check_can_write, write_gguf
from thanos.export.hf_folder import write_hf_folder
from thanos.export.llama_cpp import check_installed
from thanos.export.source import Source, find_source, load_config
from thanos.export.tensors import open_tensors
from thanos.export.tuning_file import find_changes, write_tuning_file
from thanos.longrun import progress_bar
from thanos.prompts import load_prompt


@dataclass(frozen=True)
class Places:
    """Where an export and what belongs to it are."""

    output: Path

    @property
    def aside(self) -> Path:
        """The output until it's whole. Keeps the ending, which numpy and llama.cpp look at."""
        return self.output.with_name(f"{self.output.stem}.part{self.output.suffix}")

    @property
    def report(self) -> Path:
        """What was done and how it compares."""
        return self._beside("export.json")

    @property
    def disagreements(self) -> Path:
        """The rows in which the skills differ."""
        return self._beside("disagreements.jsonl")

    def _beside(self, name: str) -> Path:
        return self.output / name if self.output.is_dir() else self.output.with_name(f"{self.output.stem}.{name}")


def export(
    folder: Path, form: str, output: Path, rows: Path, quantise: str | None = None, base: str | None = None,
    prompt: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a tuned model in another form and compare the skills that both choose.

    A run that was stopped while it compared goes on with the same arguments.

    Args:
        folder: A PEFT adapter, or a whole model.
        form: A key of `thanos.export.FORMS`.
        output: A folder (hf) or a file; must not be there yet.
        rows: Dialogues to compare on; 200 of them are drawn.
        quantise: One of the form's quantisations.
        base: The adapter's base, where it isn't the one that the adapter names.
        prompt: As for `thanos.Thanos`; the one that the model was trained with.

    Returns:
        The report, as saved in export.json.

    Raises:
        ThanosError: for whatever the user can mend.
    """
    quantisation = choose_quantisation(form, quantise)
    check_output(form, output)
    if form == "gguf":
        check_installed()
    template, drawn = load_prompt(prompt or "thanos"), draw_rows(rows)
    source, places = find_source(folder, base), Places(output)
    settings = {"form": form, "quantisation": quantisation, "base": source.model, "from": str(folder)}
    report = _unfinished(places, settings)
    if report is None:
        details = _write(source, form, quantisation, places)
        report = {**settings, "bytes": _size(output), **details, "check": None}
        _save(places.report, report)
    compared = compare(source, form, output, [dialogue for _, dialogue in drawn], template)
    write_disagreements(drawn, compared, places.disagreements)
    report["check"] = {"file": str(rows), "prompt": f"{template.name}-{template.version}", **compared.as_json()}
    _save(places.report, report)
    return report


def _unfinished(places: Places, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The report of an earlier run with these settings that wrote the output but didn't compare it."""
    if not places.output.exists():
        return None
    try:
        report = json.loads(places.report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = {}
    if report.get("check", ...) is None and {key: report.get(key) for key in settings} == settings:
        return report
    raise ThanosError(f"{places.output} exists: give another -o, or delete it")


def _write(source: Source, form: str, quantisation: str, places: Places) -> dict[str, Any]:
    """Write the output aside and rename it; what there is to say about it."""
    _remove(places.aside)
    try:
        places.output.parent.mkdir(parents=True, exist_ok=True)
        details = (
            _write_tuning(source, places) if form == "embedded" else _write_model(source, form, quantisation, places)
        )
        os.replace(places.aside, places.output)
    except OSError as error:
        raise ThanosError(f"can't write {places.output}: {(error.strerror or str(error)).lower()}") from None
    finally:
        _remove(places.aside)
    return details


def _write_model(source: Source, form: str, quantisation: str, places: Places) -> dict[str, Any]:
    tensors = open_tensors(source.files)
    if source.adapter:
        tensors = with_adapter(tensors, source.adapter)
    config, tokenizer = load_config(source.files), load_tokenizer(str(source.files))
    if form == "gguf":
        check_can_write(tensors, config)
    write = write_gguf if form == "gguf" else write_hf_folder
    with progress_bar("write tensors", len(tensors.shapes)) as advance:
        write(tensors, config, tokenizer, source.files, quantisation, places.aside, advance)
    return {"tensors": len(tensors.shapes)}


def _write_tuning(source: Source, places: Places) -> dict[str, Any]:
    found = find_changes(source)
    with progress_bar("write changes", len(found.names)) as advance:
        lost = write_tuning_file(found, places.aside, advance)
    return {"tensors": len(found.names), "left_out": found.left_out, "square_lost": lost}


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else path.stat().st_size


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _save(path: Path, report: dict[str, Any]) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    os.replace(aside, path)
