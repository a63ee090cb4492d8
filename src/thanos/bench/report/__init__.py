"""Run folders -> one HTML page that needs nothing else."""

from thanos.bench.report.page import write_report

__all__ = ["write_report"]
