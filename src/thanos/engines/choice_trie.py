"""The closed set as a trie of tokens: which next tokens are allowed where, and what each member's probability is.

Under constrained decoding a member's probability is the product, over the nodes on its path where more than one token
is allowed, of the token's probability among the allowed ones. Only these nodes need a model's answer: for the 39 skills
that is the root and the few names that begin alike. The probabilities of all members sum to 1 by construction.
"""

import math
from collections.abc import Mapping, Sequence

Path = tuple[int, ...]


class ChoiceTrie:
    """Token sequences of a closed set, none equal to another."""

    def __init__(self, sequences: Sequence[Sequence[int]], end: int):
        """Build the trie.

        Args:
            sequences: Token ids of each member, in the order in which probabilities are wanted.
            end: Id of the end token; it tells a member from a longer one that begins with it.
        """
        self._paths = [(*sequence, end) for sequence in sequences]
        if len(set(self._paths)) != len(self._paths):
            raise ValueError("two members of the closed set have the same tokens")
        children: dict[Path, set[int]] = {}
        for path in self._paths:
            for i, token in enumerate(path):
                children.setdefault(path[:i], set()).add(token)
        self.branches: dict[Path, list[int]] = {
            path: sorted(tokens)
            for path, tokens in sorted(children.items(), key=lambda item: len(item[0]))
            if len(tokens) > 1
        }
        """Path to a node with a choice -> the tokens allowed there; shorter paths first, the root () among them."""

    def probabilities(self, logits: Mapping[Path, Mapping[int, float]]) -> list[float]:
        """Each member's probability.

        Args:
            logits: For every branch, the logit or log-probability of each allowed token (a shared offset cancels out).

        Returns:
            Probabilities in the order of the members; they sum to 1.
        """
        return [self.reach(path, logits) for path in self._paths]

    def reach(self, path: Path, logits: Mapping[Path, Mapping[int, float]]) -> float:
        """The probability that constrained decoding passes a path; the branches before it must be in `logits`."""
        out = 1.0
        for i, token in enumerate(path):
            if path[:i] in self.branches:
                values = logits[path[:i]]
                peak = max(values[t] for t in self.branches[path[:i]])
                total = sum(math.exp(values[t] - peak) for t in self.branches[path[:i]])
                out *= math.exp(values[token] - peak) / total
        return out
