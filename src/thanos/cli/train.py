"""thanos train: tune a model on annotated rows."""

from typing import Annotated, Any, Literal, Optional, get_args, get_origin

import typer


def train(
    words: Annotated[
        Optional[list[str]], typer.Argument(metavar="CONFIG [--KEY VALUE]...", help="See below.", show_default=False)
    ] = None,
) -> None:
    """Tune a model on annotated rows, or go on where an earlier run with the same output stopped.

    CONFIG is a YAML file or the name of a shipped one; --KEY VALUE wins over it.
    """
    from thanos.train.read_config import load_config, split_arguments

    words = words or []
    if not words or "--help" in words:
        _help()
        return
    name, arguments = split_arguments(words)
    if name is None:
        from thanos.errors import ThanosError

        raise ThanosError("which config? Give a YAML file or a name; see `thanos train --help`")
    config = load_config(name, arguments)
    _need_extra()
    from thanos.train.run import train as run

    try:
        run(config)
    except KeyboardInterrupt:
        typer.echo("thanos: stopped; the same command goes on from the newest checkpoint", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"thanos: the best model is in {config.output}; see its README.md", err=True)


def _need_extra() -> None:
    from importlib.util import find_spec

    from thanos.errors import ThanosError

    for name in ("torch", "transformers", "datasets", "peft", "accelerate", "trl", "matplotlib"):
        if find_spec(name) is None:
            raise ThanosError(f"training needs {name}: pip install 'thanos-skill-of-mind[train]'")


def _help() -> None:
    from pydantic_core import PydanticUndefined
    from rich.console import Console
    from rich.table import Table

    from thanos.train.read_config import FIELDS, SHIPPED

    console = Console()
    console.print("\n Usage: thanos train CONFIG [--KEY VALUE]...\n", highlight=False)
    console.print(" " + " ".join(train.__doc__.split()) + "\n", highlight=False)
    console.print(f" Shipped: {', '.join(SHIPPED)}\n", highlight=False)
    table = Table(show_header=False, show_edge=False, pad_edge=True, box=None)
    for style in ("bold cyan", "yellow", None):
        table.add_column(style=style, no_wrap=style is not None)
    for key, field in FIELDS.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default is PydanticUndefined or default in (None, []) else f" [default: {default}]"
        table.add_row(f"--{key}", _kind(field.annotation), f"{field.description}{shown}".replace("[", r"\["))
    console.print(table, highlight=False)


def _kind(annotation: Any) -> str:
    """What stands for a value: "sft|dpo", "int", "path"; nothing for a switch."""
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    if get_origin(annotation) is list:
        return "a,b"
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if parts:  # Annotated[int, ...], int | None
        return _kind(parts[0])
    return {"bool": "", "str": "text"}.get(annotation.__name__, annotation.__name__.lower())
