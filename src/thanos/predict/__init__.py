"""Dialogue -> skill-of-mind."""

from thanos.predict.predictor import Prediction, Thanos
from thanos.predict.request import Mode, PredictionOptions

__all__ = ["Mode", "Prediction", "PredictionOptions", "Thanos"]
