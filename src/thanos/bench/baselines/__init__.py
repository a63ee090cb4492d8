"""What a skill model has to beat: chance, habit, words, and the most similar dialogue."""

from thanos.bench.baselines.load import BASELINES, SILENT, load_baseline

__all__ = ["BASELINES", "SILENT", "load_baseline"]
