"""Several continuations of one text in a single run of the model, as a tree whose branches don't see each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from thanos.engines.choice_trie import Path

MASKED = -1e9
"""Added to an attention score that must not count: its exponential is exactly 0 in float32."""


@dataclass(frozen=True)
class TokenTree:
    """Tokens of a text's end and of its continuations, parents before their children."""

    tokens: np.ndarray
    """int [T]."""
    depth: np.ndarray
    """int [T]: places after the first token, as in each branch alone."""
    visible: np.ndarray
    """bool [T, T]: token t attends to token u."""
    node: dict[Path, int]
    """Path of continuation tokens -> place of its last token; () is the end of the text."""


def grow_tree(trunk: Sequence[int], paths: Iterable[Path]) -> TokenTree:
    """Lay out a trunk (at least one token) and every path, beginnings shared, after it."""
    tokens, parents = list(trunk), list(range(-1, len(trunk) - 1))
    node: dict[Path, int] = {(): len(trunk) - 1}
    for path in paths:
        for n in range(1, len(path) + 1):
            if path[:n] not in node:
                node[path[:n]] = len(tokens)
                parents.append(node[path[: n - 1]])
                tokens.append(path[n - 1])
    visible = np.eye(len(tokens), dtype=bool)
    depth = np.zeros(len(tokens), np.int64)
    for place, parent in enumerate(parents):
        if parent >= 0:
            visible[place] |= visible[parent]
            depth[place] = depth[parent] + 1
    return TokenTree(np.array(tokens), depth, visible, node)
