"""The same study for Argilla 2, and its answers back.

The folder is what `argilla.Dataset.from_disk` reads: .argilla/dataset.json, .argilla/settings.json and records.json, a
list of `{"id", "fields", "metadata", "suggestions", "responses", "vectors", "status"}`. Answers come back from the
records.json of `dataset.to_disk` or `dataset.records.to_json`, where `responses` is question -> list of
`{"value", "user_id"}`.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thanos.errors import ThanosError
from thanos.study.folder import Answer, Item, Study
from thanos.study.questions import SIDES, first_problem

CHOICE_LABELS = {"left": "Reply A", "tie": "About the same", "right": "Reply B"}
FIELDS = {
    "social_context": "What is known",
    "conversation": "Conversation",
    "speaker": "Who speaks next",
    "left": "Reply A",
    "right": "Reply B",
}


def export_study(study: Study, folder: Path, annotators: int = 1) -> None:
    """Write the folder.

    Args:
        annotators: How many answers Argilla should collect for each record.

    Raises:
        ThanosError: if it can't be written.
    """
    dataset = {"name": f"study-{study.id}", "status": "draft", "allow_extra_metadata": False}
    contents = {
        ".argilla/dataset.json": dataset,
        ".argilla/settings.json": _settings(study, annotators),
        "records.json": [_record(item) for item in study.items.values()],
    }
    try:
        (folder / ".argilla").mkdir(parents=True, exist_ok=True)
        for name, value in contents.items():
            (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ThanosError(f"can't write into {folder}: {(error.strerror or str(error)).lower()}") from None


def import_answers(study: Study, records: Path) -> tuple[int, list[str]]:
    """Append the answers that a records.json holds. Annotators get their Argilla user id as name.

    Returns:
        How many were appended, and a line for each that couldn't be read.

    Raises:
        ThanosError: if the file isn't a list of records.
    """
    try:
        rows = json.loads(records.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't read {records}: {error}") from None
    if not isinstance(rows, list):
        raise ThanosError(f"{records}: expected a list of Argilla records")
    known = {(answer.annotator, answer.item): answer for answer in study.answers()[0]}
    appended, faults = 0, []
    for number, row in enumerate(rows, start=1):
        try:
            answers = _answers(row)
        except (KeyError, TypeError, AttributeError, ValueError):
            faults.append(f"record {number}: not in Argilla's shape")
            continue
        for given in answers:
            try:
                answer = Answer.model_validate(given)
                if known.get((answer.annotator, answer.item)) != answer:  # imported before
                    study.append(answer)
                    appended += 1
            except ValidationError as error:
                faults.append(f"record {number}: {first_problem(error)}")
            except ThanosError as error:
                faults.append(f"record {number}: {error}")
    return appended, faults


def _record(item: Item) -> dict[str, Any]:
    fields = {
        "social_context": item.social_context,
        "conversation": "\n".join(f"{turn['speaker']}: {_words(turn)}" for turn in item.dialogue),
        "speaker": item.speaker,
        "left": item.left,
        "right": item.right,
    }
    fields = {name: text for name, text in fields.items() if text}
    empty = {"metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}}
    return {"id": item.id, "fields": fields, **empty, "status": "pending"}


def _words(turn: dict[str, str]) -> str:
    picture = f"[picture: {turn['image']}] " if turn.get("image") else ""
    return picture + turn["text"]


def _settings(study: Study, annotators: int) -> dict[str, Any]:
    options = [{"value": value, "text": text} for value, text in CHOICE_LABELS.items()]
    questions = [
        _question(
            f"choice-{choice.name}",
            choice.text,
            {"type": "label_selection", "options": options, "visible_options": len(options)},
        )
        for choice in study.questions.choices
    ]
    for rating in study.questions.ratings:
        scale = "; ".join(f"{point} {text}" for point, text in enumerate(rating.scale, start=1))
        points = [{"value": point} for point in range(1, len(rating.scale) + 1)]
        for side in SIDES:
            title = f"{FIELDS[side]}: {rating.text}"
            settings = {"type": "rating", "options": points}
            questions.append(_question(f"rating-{rating.name}-{side}", title, settings, description=scale))
    questions.append(_question("note", "Anything odd?", {"type": "text", "use_markdown": False}, required=False))
    fields = [
        {
            "name": name,
            "title": title,
            "required": name != "social_context",
            "settings": {"type": "text", "use_markdown": False},
        }
        for name, title in FIELDS.items()
    ]
    return {
        "guidelines": study.questions.guide or None,
        "questions": questions,
        "fields": fields,
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": annotators},
        "mapping": None,
    }


def _question(
    name: str, title: str, settings: dict[str, Any], description: str | None = None, required: bool = True
) -> dict[str, Any]:
    return {"name": name, "title": title, "description": description, "required": required, "settings": settings}


def _answers(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers of one record, one a user, in the form of `Answer`."""
    by_user: dict[str, dict[str, Any]] = {}
    for question, responses in (record["responses"] or {}).items():
        for response in responses:
            answer = by_user.setdefault(
                str(response["user_id"]),
                {
                    "item": record["id"],
                    "annotator": str(response["user_id"]),
                    "choices": {},
                    "ratings": {},
                },
            )
            _put(answer, question, response["value"])
    return list(by_user.values())


def _put(answer: dict[str, Any], question: str, value: Any) -> None:
    kind, _, rest = question.partition("-")
    if kind == "choice":
        answer["choices"][rest] = value
    elif kind == "rating":
        name, _, side = rest.rpartition("-")
        answer["ratings"].setdefault(name, {})[side] = value
    else:
        answer[kind] = value or ""
