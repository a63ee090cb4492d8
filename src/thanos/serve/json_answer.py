"""A JSON answer that can hold any text."""

import json
from typing import Any

from fastapi.responses import Response


class JsonAnswer(Response):
    """JSON in ASCII: half of a surrogate pair, which models do write, is no UTF-8 but can be escaped."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the body."""
        return json.dumps(content, separators=(",", ":")).encode()
