"""embedded: a small model that comes with the package index and runs on any CPU."""

from thanos.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
