"""The file that says how many turns of which source are to be annotated."""

import difflib
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thanos.errors import ThanosError
from thanos.sources import find_source

SHIPPED = ("paper",)
"""Recipes that come with the package, by name."""


class SourceShare(BaseModel):
    """What is drawn from one source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: int = Field(ge=1)
    """Turns in all; fewer if the source doesn't hold as many."""
    file: Path | None = None
    """JSONL, JSON list or Parquet, relative to the recipe; without it, `<source>.jsonl`, `.json` or `.parquet` in the
    folder that the command names, or the hub if the command allows it."""
    split: str | None = None
    """Split of the hub release; the source's usual one by default."""


class Recipe(BaseModel):
    """How turns are drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, SourceShare] = Field(min_length=1)
    """By the names that `thanos sources` lists."""
    seed: int = 0
    """Another seed draws other turns."""
    min_turns: int = Field(default=4, ge=2)
    """Least number of turns, the response counted."""
    even_turns: bool = False
    """Only turns with an odd number of turns before them: who didn't open the dialogue speaks, if the two alternate."""
    per_dialogue: int = Field(default=1, ge=1)
    """Most turns of one dialogue."""

    @field_validator("sources")
    @classmethod
    def _known(cls, sources: dict[str, SourceShare]) -> dict[str, SourceShare]:
        for name in sources:
            find_source(name)
        return sources


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: A YAML file, or "paper": the numbers of the paper's dataset.

    Raises:
        ThanosError: if it can't be read, or a key or value isn't right; an unknown key with the nearest known one.
    """
    shipped = name in SHIPPED
    path = files("thanos.turns").joinpath(f"{name}.yaml") if shipped else Path(name)
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else error
        raise ThanosError(
            f"can't read recipe {name}: {reason}; give a YAML file or one of: {', '.join(SHIPPED)}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ThanosError(f"recipe {name} isn't YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise ThanosError(f"recipe {name}: expected keys like `sources:` and `seed:`")
    try:
        recipe = Recipe.model_validate(value)
    except ValidationError as error:
        raise ThanosError(f"recipe {name}: {_first_problem(error)}") from None
    return recipe if shipped else _beside(recipe, Path(name).parent)


def find_files(recipe: Recipe, folder: Path | None = None, hub: bool = False) -> dict[str, Path | None]:
    """For each source of a recipe its file: the recipe's own, or `<source>.jsonl`, `.json` or `.parquet` in the folder.

    None stands for the hub, where that is allowed.

    Raises:
        ThanosError: if a source has neither; all of them are named.
    """
    found = {name: share.file or _file_in(folder, name) for name, share in recipe.sources.items()}
    lacking = [name for name, path in found.items() if path is None]
    if lacking and not hub:
        where = f" in {folder}" if folder else ""
        raise ThanosError(
            f"no file{where} for {', '.join(lacking)}: name a folder by --data, give `file:` in the recipe, "
            "leave them out of it, or fetch them by --hub"
        )
    return found


def _file_in(folder: Path | None, name: str) -> Path | None:
    endings = ("jsonl", "json", "parquet") if folder else ()
    return next((path for ending in endings if (path := Path(folder or ".") / f"{name}.{ending}").is_file()), None)


def _beside(recipe: Recipe, folder: Path) -> Recipe:
    """Files of a recipe are meant relative to it."""
    sources = {
        name: share.model_copy(update={"file": folder / share.file}) if share.file else share
        for name, share in recipe.sources.items()
    }
    return recipe.model_copy(update={"sources": sources})


def _first_problem(error: ValidationError) -> str:
    # A misspelt key also makes the right one missing: say the cause, not its consequence.
    problem = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    where = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = Recipe.model_fields if len(where) == 1 else SourceShare.model_fields
        near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {'.'.join(where)!r}; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{'.'.join(where)}: {message[:1].lower()}{message[1:]}"
