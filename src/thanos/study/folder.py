"""A study's folder: what annotators may see, the key that they may not, and their answers.

study.json    title, questions, the study's id
items.jsonl   one pair of replies a line, without a word on where they come from
key.json      which system stands on which side; the server never reads it
answers.jsonl one answer a line, appended as it comes; the last one of an annotator on an item counts
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thanos.errors import ThanosError
from thanos.study.questions import CHOICES, SIDES, Questions, first_problem

MOST_NOTE_CHARACTERS = 2000


class Item(BaseModel):
    """One pair of replies, as an annotator sees it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """Its number in the study; says nothing about the systems."""
    social_context: str = ""
    dialogue: list[dict[str, str]]
    """`{"speaker", "text"}`, oldest first."""
    speaker: str
    """Whose reply it is."""
    left: str
    right: str


class Answer(BaseModel):
    """What one annotator said about one item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    annotator: str = Field(min_length=1, max_length=80, pattern=r"^[^\s].*$")
    choices: dict[str, str]
    """Question -> left, tie or right, as they stood before this annotator."""
    ratings: dict[str, dict[str, int]] = {}
    """Question -> side -> point of the scale, from 1."""
    note: str = Field(default="", max_length=MOST_NOTE_CHARACTERS)
    seconds: float | None = Field(default=None, ge=0)
    """From the moment when the item was shown."""


@dataclass(frozen=True)
class Study:
    """What is asked, and about which pairs."""

    folder: Path
    id: str
    """A digest of items and questions, carried by every answer, so that no answer is counted in another study."""
    questions: Questions
    items: dict[str, Item] = field(default_factory=dict)
    """In the order in which they are shown."""

    @property
    def answers_path(self) -> Path:
        """Where answers are appended."""
        return self.folder / "answers.jsonl"

    def check(self, answer: Answer) -> None:
        """Raises ThanosError unless the answer is about an item of this study and answers each question."""
        if answer.item not in self.items:
            raise ThanosError(f"no item {answer.item!r} in this study")
        _same_names("choices", answer.choices, [question.name for question in self.questions.choices])
        _same_names("ratings", answer.ratings, [question.name for question in self.questions.ratings])
        for name, choice in answer.choices.items():
            if choice not in CHOICES:
                raise ThanosError(f"choices.{name}: {choice!r} is none of {', '.join(CHOICES)}")
        for question in self.questions.ratings:
            given = answer.ratings[question.name]
            _same_names(f"ratings.{question.name}", given, list(SIDES))
            if not all(1 <= point <= len(question.scale) for point in given.values()):
                raise ThanosError(f"ratings.{question.name}: points are 1 to {len(question.scale)}")

    def append(self, answer: Answer) -> None:
        """Check an answer and write it down; once this returns, not even SIGKILL loses it."""
        self.check(answer)
        row = {"study": self.id, **answer.model_dump(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
        try:
            with self.answers_path.open("ab+") as file:
                file.seek(0, 2)
                if file.tell():  # a line that a kill cut short must not swallow this one
                    file.seek(-1, 2)
                    if file.read(1) != b"\n":
                        file.write(b"\n")
                file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise ThanosError(f"can't write {self.answers_path}: {(error.strerror or str(error)).lower()}") from None

    def answers(self) -> tuple[list[Answer], list[str]]:
        """(the last answer of each annotator on each item, why lines were left out)."""
        last: dict[tuple[str, str], Answer] = {}
        faults = []
        for line, row in _lines(self.answers_path):
            try:
                if not isinstance(row, dict) or row.pop("study", None) != self.id:
                    raise ThanosError("not an answer of this study")
                row.pop("time", None)
                answer = Answer.model_validate(row)
                self.check(answer)
            except ValidationError as error:
                faults.append(f"{self.answers_path.name} line {line}: {first_problem(error)}")
            except ThanosError as error:
                faults.append(f"{self.answers_path.name} line {line}: {error}")
            else:
                last[answer.annotator, answer.item] = answer
        return list(last.values()), faults


def read_study(folder: Path) -> Study:
    """Open the folder of `write_study`.

    Raises:
        ThanosError: if it holds no study.
    """
    try:
        about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        questions = Questions.model_validate(about["questions"])
        rows = [Item.model_validate(row) for _, row in _lines(folder / "items.jsonl")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else str(error).splitlines()[0]
        raise ThanosError(f"no study in {folder}: {reason}; make one with `thanos study make`") from None
    found = study_id(rows, questions)
    if about.get("study") != found:
        raise ThanosError(f"{folder}: items or questions were changed after `thanos study make`; make the study anew")
    return Study(folder, found, questions, {item.id: item for item in rows})


def write_study(folder: Path, questions: Questions, items: list[Item], key: dict[str, Any]) -> Study:
    """Write everything but answers.

    Raises:
        ThanosError: if the folder holds answers already, or can't be written.
    """
    study = Study(folder, study_id(items, questions), questions, {item.id: item for item in items})
    if study.answers_path.exists():
        raise ThanosError(f"{folder} holds answers already; give another -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = "".join(item.model_dump_json() + "\n" for item in items)
        (folder / "items.jsonl").write_text(rows, encoding="utf-8")
        about = {"study": study.id, "items": len(items), "questions": questions.model_dump()}
        for name, value in (("study.json", about), ("key.json", {"study": study.id, **key})):
            text = json.dumps(value, ensure_ascii=False, indent=1)
            (folder / name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ThanosError(f"can't write into {folder}: {(error.strerror or str(error)).lower()}") from None
    return study


def read_key(study: Study) -> dict[str, Any]:
    """The key of a study: `{"pairs": {item: {"row", "left", "right"}}, ...}`.

    Raises:
        ThanosError: if there is none, or it is another study's.
    """
    path = study.folder / "key.json"
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
        fits = key["study"] == study.id and key["pairs"].keys() == study.items.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ThanosError(f"can't read the key {path}: {error}; it was written beside the study") from None
    if not fits:
        raise ThanosError(f"{path} is the key of another study")
    return key


def study_id(items: list[Item], questions: Questions) -> str:
    """16 hexadecimal digits that change with every change of items or questions."""
    text = "\n".join([questions.model_dump_json(), *(item.model_dump_json() for item in items)])
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _same_names(where: str, given: dict[str, Any], asked: list[str]) -> None:
    for name in asked:
        if name not in given:
            raise ThanosError(f"{where}: {name!r} isn't answered")
    for name in given:
        if name not in asked:
            raise ThanosError(f"{where}: {name!r} wasn't asked")


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(line, value) of a JSONL file; a line that isn't JSON is None, a missing file has no lines."""
    if not path.exists():
        return
    for line, raw in enumerate(path.read_bytes().splitlines(), start=1):
        if raw.strip():
            try:
                yield line, json.loads(raw)
            except ValueError:
                yield line, None
