"""What annotators are asked, as a data file."""

from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thanos.errors import ThanosError

SIDES = ("left", "right")
CHOICES = ("left", "tie", "right")
_NAME = r"^[a-z][a-z0-9_]*$"


class Choice(BaseModel):
    """A question whose answer is one of `CHOICES`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    text: str = Field(min_length=1)


class Rating(BaseModel):
    """A statement that is rated for each of the two replies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    text: str = Field(min_length=1)
    scale: list[str] = Field(min_length=2, max_length=9)
    """What each point means, worst first; the answer is its number, from 1."""


class Questions(BaseModel):
    """Everything an annotator is asked about one pair of replies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    """Raised with every change of the wording; recorded with the study."""
    title: str
    guide: str = ""
    """What to know before beginning."""
    choices: list[Choice] = Field(min_length=1)
    ratings: list[Rating] = []

    @model_validator(mode="after")
    def _distinct(self) -> "Questions":
        names = [question.name for question in (*self.choices, *self.ratings)]
        if len(set(names)) < len(names):
            raise ValueError("two questions have the same name")
        return self


def load_questions(path: Path | None = None) -> Questions:
    """Read questions from a YAML file; without one, the questions that come with the package.

    Raises:
        ThanosError: if the file can't be read, or a key is missing or unknown.
    """
    where = path or files("thanos.study").joinpath("questions.yaml")
    try:
        value = yaml.safe_load(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise ThanosError(f"can't read questions {path}: {(error.strerror or str(error)).lower()}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ThanosError(f"questions {path} aren't YAML: {' '.join(str(error).split())}") from None
    try:
        return Questions.model_validate(value)
    except ValidationError as error:
        raise ThanosError(f"questions {path}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, on one line."""
    problem = error.errors()[0]
    where = ".".join(map(str, problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}" if where else message
