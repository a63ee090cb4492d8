"""An HTTP server: skills-of-mind, and a chat endpoint that plans before it speaks."""

from thanos.serve.settings import ServeSettings

__all__ = ["ServeSettings"]
