"""A YAML file and `--key value` -> TrainConfig, and back."""

import difflib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from thanos.errors import ThanosError
from thanos.train.config import TrainConfig

SHIPPED = ("embedded", "thanos-1b", "thanos-3b", "thanos-8b", "thanos-8b-qlora", "thanos-1b-dpo")
"""Configurations that come with the package, by name."""
FIELDS = TrainConfig.__pydantic_fields__
PLACES = ("train", "validation", "output")
MAYBE_PLACES = ("base", "adapter", "prompt")
"""Names that may be paths."""


def load_config(name: str, arguments: Sequence[str] = ()) -> TrainConfig:
    """Read a configuration.

    Args:
        name: A YAML file, whose relative paths are meant relative to it, or one of `SHIPPED`.
        arguments: `--key value`, `--key=value` or, for a switch, `--key` alone; they win over the file.

    Raises:
        ThanosError: if the file can't be read, or a key or value isn't right; for an unknown key, with the nearest
            known one.
    """
    values = {"output": Path("outputs") / Path(name).stem} | _file_values(name) | _argument_values(arguments)
    try:
        return TypeAdapter(TrainConfig).validate_python(values)
    except ValidationError as error:
        missing = [str(p["loc"][0]) for p in error.errors() if p["type"] == "missing"]
        if missing:
            raise ThanosError(f"config {name} lacks {', '.join(missing)}: add --{missing[0]} ...") from None
        problem = error.errors()[0]
        message = problem["msg"]
        raise ThanosError(f"{'.'.join(map(str, problem['loc']))}: {message[:1].lower()}{message[1:]}") from None


def split_arguments(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Command-line words -> (config, the `--key value` words).

    Raises:
        ThanosError: if there are two configs.
    """
    rest: list[str] = []
    names: list[str] = []
    waiting = False
    for word in arguments:
        if word.startswith("--"):
            rest.append(word)
            key = word[2:].replace("-", "_")
            waiting = "=" not in word and not (key in FIELDS and FIELDS[key].annotation is bool)
        elif waiting or (word in ("true", "false") and rest and rest[-1].startswith("--")):
            rest.append(word)
            waiting = False
        else:
            names.append(word)
    if len(names) > 1:
        raise ThanosError(f"one config at a time, not {' and '.join(names)}")
    return (names[0] if names else None), rest


def dump_config(config: TrainConfig, folder: Path) -> str:
    """The whole configuration as YAML for a file in `folder`, with paths relative to it."""
    values = TypeAdapter(TrainConfig).dump_python(config, mode="json")
    relative = lambda path: os.path.relpath(Path(path).resolve(), folder.resolve())
    values |= {key: relative(values[key]) for key in PLACES}
    values |= {key: relative(values[key]) for key in MAYBE_PLACES if values[key] and Path(values[key]).exists()}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _file_values(name: str) -> dict[str, Any]:
    shipped = name in SHIPPED
    path = files("thanos.train").joinpath("configs", f"{name}.yaml") if shipped else Path(name)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else error
        raise ThanosError(
            f"can't read config {name}: {reason}; give a YAML file or one of: {', '.join(SHIPPED)}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ThanosError(f"config {name} isn't YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ThanosError(f"config {name}: expected keys like `base:` and `train:`")
    for key in values:
        _check_key(str(key), f"config {name}: unknown key {key!r}")
    return values if shipped else _beside(values, Path(name).parent)


def _beside(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    for key in PLACES:
        if isinstance(values.get(key), str):
            values[key] = folder / values[key]
    for key in MAYBE_PLACES:
        value = values.get(key)
        if isinstance(value, str) and (folder / value).exists():
            values[key] = str(folder / value)
    return values


def _argument_values(arguments: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    words = list(arguments)
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        key = option.removeprefix("--").replace("-", "_")
        _check_key(key, f"no option {option}")
        if not equals:
            if words and not words[0].startswith("--"):
                value = words.pop(0)
            elif FIELDS[key].annotation is bool:
                value = "true"
            else:
                raise ThanosError(f"{option} needs a value")
        values[key] = [part for part in value.split(",") if part] if key == "log_to" else value
    return values


def _check_key(key: str, problem: str) -> None:
    if key not in FIELDS:
        near = difflib.get_close_matches(key, FIELDS, n=1, cutoff=0.5)
        raise ThanosError(f"{problem}; did you mean {near[0]!r}?" if near else f"{problem}; known: {', '.join(FIELDS)}")
