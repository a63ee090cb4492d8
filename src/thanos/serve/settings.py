"""What the server is told when it starts."""

from dataclasses import dataclass, field
from typing import Any

from thanos.predict import Mode


@dataclass(frozen=True)
class ServeSettings:
    """Settings of one server."""

    model: str = "embedded"
    """Model string of the planner, which predicts skills-of-mind."""
    prompt: str | None = None
    """The planner's prompt; see `thanos.predict.Thanos`."""
    mode: Mode = "explain"
    """explain thinks aloud before it chooses; direct chooses at once."""
    max_tokens: int | None = None
    """Most tokens of an explanation."""
    engine_options: dict[str, Any] = field(default_factory=dict)
    """Fields of `thanos.engines.EngineOptions` for the planner."""
    responder: str = "embedded/base"
    """Model string of the chat model that replies where there is no upstream."""
    upstream: str | None = None
    """Base URL of an OpenAI-compatible server that replies, e.g. http://localhost:8001/v1."""
    upstream_key: str | None = field(default=None, repr=False)
    """Sent to the upstream as a bearer token."""
    plan_timeout: float = 10.0
    """Seconds that a chat reply waits for its plan; then it comes unplanned."""
    timeout: float = 300.0
    """Seconds: the longest silence of the upstream, and the longest wait at /v1/skill-of-mind."""
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that callers may use; none: everybody may call."""
    max_body: int = 4 * 1024 * 1024
    """Largest request body in bytes."""
    max_concurrency: int = 256
    """Most POST requests in hand at a time."""
