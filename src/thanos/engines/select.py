"""Model string -> engine."""

import difflib
from dataclasses import dataclass, fields
from typing import Any

from thanos.engines.protocol import Engine
from thanos.errors import EngineError, ThanosError

FORMS = "embedded, embedded/base, hf/<id or folder>, vllm/<id or folder> or openai/<model>"


@dataclass(frozen=True)
class EngineOptions:
    """What an engine may be told; an option that the chosen engine doesn't have is an error, never ignored."""

    adapter: str | None = None
    """hf, vllm: folder or id of a PEFT (LoRA) adapter; embedded: a tuning file that `thanos export` wrote."""
    batch_size: int | None = None
    """embedded, hf: rows decoded together. Results don't depend on it."""
    base_url: str | None = None
    """openai: address of the server, e.g. http://localhost:8000/v1."""
    concurrency: int | None = None
    """openai: requests in flight at a time."""
    timeout: float | None = None
    """openai: seconds to wait for one answer."""
    retries: int | None = None
    """openai: how often a failed request is tried again."""


def load_engine(model: str, **options: Any) -> Engine:
    """Load the engine that a model string names.

    Args:
        model: See `FORMS`.
        **options: Fields of `EngineOptions`; None means the engine's default.

    Raises:
        EngineError: if there is no such model, or its engine isn't installed.
        ThanosError: for an option that isn't known or isn't this engine's.
    """
    known = [field.name for field in fields(EngineOptions)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ThanosError(
                f"unknown option {name!r}" + (f"; did you mean {near[0]!r}?" if near else f": use {', '.join(known)}")
            )
    given = {name: value for name, value in options.items() if value is not None}
    kind, _, rest = model.partition("/")
    if model in ("embedded", "embedded/base"):
        from thanos.engines.embedded import EmbeddedEngine as engine
    elif not rest or kind not in ("hf", "vllm", "openai"):
        near = difflib.get_close_matches(kind, ["embedded", "hf", "vllm", "openai"], n=1)
        hint = f" (did you mean {near[0]}?)" if near and near[0] != kind else ""
        raise EngineError(f"no model {model!r}{hint}: use {FORMS}")
    else:
        engine = _engine_class(kind)
    try:
        return engine(rest, **given) if rest else engine(**given)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ThanosError(f"{kind} has no option {str(error).rsplit(' ', 1)[-1]}") from None


def _engine_class(kind: str) -> Any:
    try:
        if kind == "hf":
            from thanos.engines.hf import TransformersEngine as engine
        elif kind == "vllm":
            from thanos.engines.vllm_offline import VllmEngine as engine
        else:
            from thanos.engines.openai_chat import OpenAIEngine as engine
    except ModuleNotFoundError as error:
        extra = f"[{kind}]" if kind != "openai" else ""
        raise EngineError(f"{kind}/ needs {error.name}: pip install 'thanos-skill-of-mind{extra}'") from None
    return engine
