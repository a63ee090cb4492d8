"""Prompt -> text and probabilities, on whatever runs the model."""

from thanos.engines.protocol import Choices, Engine, Generation, Request, ScoringEngine, StreamingEngine, Usage
from thanos.engines.select import EngineOptions, load_engine

__all__ = [
    "Choices",
    "Engine",
    "EngineOptions",
    "Generation",
    "Request",
    "ScoringEngine",
    "StreamingEngine",
    "Usage",
    "load_engine",
]
