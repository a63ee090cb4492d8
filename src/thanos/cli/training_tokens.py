"""What `thanos show --tokens` prints: the tokens of training rows, and which of them are trained."""

import json
import sys
from itertools import islice
from typing import Any

from rich.console import Console
from rich.text import Text

STYLES = {False: ("grey58 on grey7", "grey58 on grey15"), True: ("bold white on dark_green", "bold white on green4")}
"""Not trained, trained; two shades in turn, so that one token ends where the other begins."""


def show_training_tokens(config_name: str, limit: int) -> None:
    """Print the first rows of a config's training file, one block for each target.

    On a terminal in colours; elsewhere a line for each token: row, target, token id, label (-100: not trained) and the
    token's text as JSON, with tabs between.
    """
    from thanos.train.labelled import labelled_sequences
    from thanos.train.model import training_tokenizer
    from thanos.train.read_config import load_config

    config = load_config(config_name)
    tokenizer = training_tokenizer(config.base)
    console = Console(soft_wrap=True, highlight=False)
    for line, sequences in islice(labelled_sequences(config, tokenizer), limit):
        for number, sequence in enumerate(sequences, start=1):
            if console.is_terminal:
                _colour(console, tokenizer, line, sequence)
            else:
                _list(tokenizer, line, number, sequence)


def _colour(console: Console, tokenizer: Any, line: int, sequence: Any) -> None:
    trained = sum(label != -100 for label in sequence.labels)
    count = len(sequence.ids)
    head = f"--- line {line}, {sequence.what}: {count} tokens, {count - trained} not trained, "
    console.print(Text(head, style="bold").append(f" {trained} trained ", style=STYLES[True][0]))
    text = Text()
    for place, (token, label) in enumerate(zip(sequence.ids, sequence.labels, strict=True)):
        text.append(_piece(tokenizer, token).replace("\n", "⏎\n"), style=STYLES[label != -100][place % 2])
    console.print(text)
    console.print()


def _list(tokenizer: Any, line: int, number: int, sequence: Any) -> None:
    for token, label in zip(sequence.ids, sequence.labels, strict=True):
        piece = json.dumps(_piece(tokenizer, token), ensure_ascii=False)
        sys.stdout.write(f"{line}\t{number}\t{token}\t{label}\t{piece}\n")


def _piece(tokenizer: Any, token: int) -> str:
    return tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False)
