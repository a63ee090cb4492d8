"""A tuned model -> the files that other engines load, and a check that its skills stay the same."""

from thanos.export.forms import FORMS
from thanos.export.run import export

__all__ = ["FORMS", "export"]
