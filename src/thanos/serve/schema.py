"""What the OpenAPI page says of bodies; the bodies themselves are read by hand, so that unknown fields pass through."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """An error in the shape of OpenAI's API."""

    error: ErrorDetail


class SkillAnswer(BaseModel):
    """A skill-of-mind; or `results`, one for each dialogue or turn; or, within results, the `error` of a row."""

    model_config = ConfigDict(extra="allow")

    explanation: str = ""
    skill: str | None = None
    category: str | None = None
    scores: dict[str, float] = Field(default_factory=dict)
    valid: bool = False
    model: str = ""
    error: str = ""
    results: list["SkillAnswer"] = Field(default_factory=list)


class ThanosOptions(BaseModel):
    """The `thanos` field of a chat request; it never reaches the upstream."""

    model_config = ConfigDict(extra="forbid", strict=True)

    plan: bool = True
    """False: no plan for this reply."""
    social_context: str = ""
    """What is known of the speakers and the situation."""
    arm: Literal["skill", "explanation", "both"] = "both"
    """What of the plan the chat model is told."""


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "The request is wrong",
        401: "Wrong or missing API key",
        408: "The body came too slowly",
        413: "The body is too large",
        415: "The body isn't declared as JSON",
        429: "Too many requests in hand; see Retry-After",
        502: "The model or the upstream failed",
        504: "No answer in time",
    }.items()
}
UPSTREAM_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "No such model"},
    "default": {"model": ErrorAnswer, "description": "The upstream's own error, passed on"},
}

_TURN = {
    "type": "object",
    "properties": {"speaker": {"type": "string", "minLength": 1}, "text": {"type": "string"}},
    "required": ["speaker", "text"],
}
_ROW = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "social_context": {"type": "string"},
        "turns": {"type": "array", "minItems": 1, "items": _TURN},
    },
    "required": ["turns"],
}
_TRACE = {"type": "boolean", "default": False, "description": "A skill-of-mind for every turn."}
SKILL_REQUEST: dict[str, Any] = {
    "required": True,
    "description": "Any row that `thanos predict` reads: `turns`, `dialogue`, OpenAI `messages`, turns as text.",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {**_ROW, "properties": {**_ROW["properties"], "trace": _TRACE}},
                    {
                        "type": "object",
                        "properties": {
                            "dialogues": {"type": "array", "minItems": 1, "maxItems": 256, "items": _ROW},
                            "trace": _TRACE,
                        },
                        "required": ["dialogues"],
                        "additionalProperties": False,
                    },
                ]
            },
            "example": {
                "social_context": "Tom and Sam are old friends.",
                "turns": [{"speaker": "Tom", "text": "How are you?"}, {"speaker": "Sam", "text": "My dog died."}],
            },
        }
    },
}
_MESSAGE = {
    "type": "object",
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {"anyOf": [{"type": "string"}, {"type": "array"}, {"type": "null"}]},
    },
    "required": ["role"],
}
CHAT_REQUEST: dict[str, Any] = {
    "required": True,
    "description": "As OpenAI's; every field but `thanos` goes to the upstream unchanged.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "model": {"type": "string"},
                    "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
                    "stream": {"type": "boolean", "default": False},
                    "thanos": ThanosOptions.model_json_schema(),
                },
                "required": ["model", "messages"],
            },
            "example": {"model": "embedded/base", "messages": [{"role": "user", "content": "My dog died."}]},
        }
    },
}
