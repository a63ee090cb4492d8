"""thanos export: a tuned model for another engine."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from thanos.cli.model_options import PromptName


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of an adapter (as `thanos train` saves) or of a model.")],
    to: Annotated[str, typer.Option("--to", metavar="hf|gguf|embedded", help="What to write.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="hf: a folder. gguf: FILE.gguf. embedded: FILE.npz.")],
    quantize: Annotated[
        Optional[str],
        typer.Option(
            help="hf: bf16, f16, f32. gguf: q8_0, q5_1, q5_0, q4_1, q4_0, f16, bf16, f32. Default: the first."
        ),
    ] = None,
    base: Annotated[
        Optional[str],
        typer.Option(help="The adapter's base (hub id, folder, GGUF file, embedded), if not the one it names."),
    ] = None,
    check: Annotated[
        Optional[Path],
        typer.Option(metavar="ROWS", help="Dialogues, 200 of which are compared. Default: the project's own."),
    ] = None,
    prompt: PromptName = None,
) -> None:
    """Merge an adapter, convert and quantise, and compare the skills with those of the unquantised model.

    hf is for hf/FOLDER and vllm/FOLDER, gguf for llama.cpp and all that build on it, embedded for
    `thanos predict --adapter FILE`. OUTPUT must not be there yet. After a stop, the same command goes on.
    """
    from thanos.errors import ThanosError

    try:
        from thanos.export import export as run
        from thanos.export.check_rows import default_rows
    except ModuleNotFoundError as error:
        raise ThanosError(f"export needs {error.name}: pip install 'thanos-skill-of-mind[export]'") from None
    report = run(checkpoint, to, output, check or default_rows(), quantize, base, prompt)
    for line in report_lines(report, output):
        typer.echo(f"thanos: {line}", err=True)


def report_lines(report: dict[str, Any], output: Path) -> list[str]:
    """What `thanos.export.export` returned, in words."""
    precision = f"{report['quantisation']}, " if report["quantisation"] else ""
    lines = [f"{output}: {precision}{report['bytes'] / 1e6:,.1f} MB"]
    if report.get("square_lost") is not None:
        lines.append(f"three values for each number keep {1 - report['square_lost']:.0%} of the changes' square")
    if report.get("left_out"):
        lines.append(f"{len(report['left_out'])} changed norms were left out: the file holds matrices alone")
    check = report["check"]
    if check["rate"] is None:
        lines.append(f"neither named a skill after any of {check['rows']} dialogues, so that nothing can be compared")
        return lines
    lines.append(
        f"the same skill as the unquantised model after {check['agreed']} of {check['n']} dialogues: "
        f"{check['rate']:.1%} (95% interval {check['low']:.1%} to {check['high']:.1%})"
    )
    silent = check["no_skill"]
    if any(silent.values()):
        lines.append(f"no skill in the answer: {silent['model']} of the model's, {silent['export']} of the export's")
    return lines
