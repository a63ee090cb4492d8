"""What can be written, and in which precision."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from thanos.errors import ThanosError

FORMS = {
    "hf": ("bf16", "f16", "f32"),
    "gguf": ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "f16", "bf16", "f32"),
    "embedded": (),
}
"""Form -> quantisations, the default first. The embedded engine has one form of its own."""
ENDINGS = {"hf": "", "gguf": ".gguf", "embedded": ".npz"}
"""What an output's name must end with."""


def choose_quantisation(form: str, quantise: str | None) -> str:
    """The quantisation asked for, or the form's default; "" for the embedded form.

    Raises:
        ThanosError: for an unknown form or quantisation; names the nearest known one.
    """
    if form not in FORMS:
        raise ThanosError(f"can't export to {form!r}{_instead(form, FORMS)}")
    known = FORMS[form]
    if not known:
        if quantise:
            raise ThanosError(f"--to {form} has one precision of its own: leave --quantize out")
        return ""
    name = (quantise or known[0]).lower()
    if name not in known:
        raise ThanosError(f"unknown quantisation {quantise!r} for --to {form}{_instead(name, known)}")
    return name


def check_output(form: str, output: Path) -> None:
    """Refuse a name that the engines wouldn't take for such a file.

    Raises:
        ThanosError: if the ending is wrong.
    """
    ending = ENDINGS[form]
    if ending and output.suffix != ending:
        raise ThanosError(f"--to {form} writes one file: -o {output} must end in {ending}")


def _instead(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} known: {', '.join(known)}"
