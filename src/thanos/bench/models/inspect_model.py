"""Model string -> a model of inspect."""

from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.model import Model, get_model

import thanos.bench.inspect_plugin  # noqa: F401 (registers the provider, for installations without entry points)
from thanos.bench.baselines import BASELINES
from thanos.bench.models.load import INSPECT
from thanos.bench.models.provider import ThanosAPI
from thanos.errors import ThanosError


def get_inspect_model(model: str, train: Path | None = None, **options: Any) -> Model:
    """Load a model once for all tasks and roles.

    Args:
        model: A baseline, a model string of `thanos predict`, or `inspect/<provider>/<model>`.
        train: Annotated rows that a baseline learns from.
        **options: Fields of `thanos.engines.EngineOptions`; None means the default.

    Raises:
        ThanosError: if there's no such model.
    """
    given = {name: value for name, value in options.items() if value is not None}
    learns = train is not None and model in BASELINES
    return _load(model, str(train) if learns else None, tuple(sorted(given.items())))


@cache
def _load(model: str, train: str | None, options: tuple[tuple[str, Any], ...]) -> Model:
    settings = dict(options)
    base_url = settings.pop("base_url", None)
    if not model.startswith(INSPECT):
        return get_model(f"thanos/{model}", base_url=base_url, memoize=False, train=train, **settings)
    if settings:
        raise ThanosError(f"{INSPECT} models have no option {next(iter(settings))}")
    try:
        return get_model(model.removeprefix(INSPECT), base_url=base_url, memoize=False)
    except Exception as error:  # inspect raises many kinds: no such provider, a missing package, a missing key
        raise ThanosError(f"{model}: {next(iter(str(error).splitlines()), type(error).__name__)}") from None


def engine_failure(model: Model) -> ThanosError | None:
    """What kept one of our engines from answering anything."""
    return model.api.fatal if isinstance(model.api, ThanosAPI) else None
