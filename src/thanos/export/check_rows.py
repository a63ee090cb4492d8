"""The dialogues on which an export is compared with its model."""

import random
from pathlib import Path

from thanos.dialogue import Dialogue, read_rows
from thanos.errors import ThanosError

ROWS = 200
SEED = 0


def default_rows() -> Path:
    """The project's original dialogues: in the package, or, in a checkout, among the examples."""
    packed = Path(__file__).with_name("original.jsonl")
    return packed if packed.is_file() else Path(__file__).parents[3] / "examples" / "original.jsonl"


def draw_rows(path: Path, most: int = ROWS) -> list[tuple[int, Dialogue]]:
    """Up to `most` dialogues of a file, drawn evenly with a fixed seed (reservoir sampling), with their lines.

    Raises:
        ThanosError: if the file can't be read, or holds no dialogue.
    """
    generator = random.Random(SEED)
    drawn: list[tuple[int, Dialogue]] = []
    good = (row for row in read_rows(str(path)) if row.dialogue)
    for seen, row in enumerate(good):
        if seen < most:
            drawn.append((row.line, row.dialogue))
        elif (place := generator.randrange(seen + 1)) < most:
            drawn[place] = (row.line, row.dialogue)
    if not drawn:
        raise ThanosError(f"{path} holds no dialogue to check the export on")
    return sorted(drawn, key=lambda item: item[0])
