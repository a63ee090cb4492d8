"""hf/...: weights in this process, through transformers."""

from thanos.engines.hf.engine import TransformersEngine

__all__ = ["TransformersEngine"]
