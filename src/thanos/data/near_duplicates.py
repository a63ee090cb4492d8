"""Which of millions of texts are nearly the same: MinHash signatures on disk, banded and compared.

Broder, "On the resemblance and containment of documents" (1997); banding as in Leskovec, Rajaraman and Ullman, "Mining
of Massive Datasets", chapter 3. Signatures (256 bytes a text) lie in a temporary file; memory holds about 40 bytes a
text.
"""

import tempfile
import zlib
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np

from thanos.data.words import words
from thanos.errors import ThanosError

PERMUTATIONS = 128
"""Standard error of an estimated similarity of 0.8: 0.035."""
SHINGLE = 3
"""Words in a row that make one element of a text's set."""
NEIGHBOURS = 8
"""Texts of one bucket are compared with so many before them, and with its first; so a bucket costs linear time."""
FOUND = 0.99
"""Least probability that a pair at the threshold meets in a bucket."""
_CHUNK = 8192


class NearDuplicates:
    """Takes texts one by one, then names the pairs that are nearly the same. A context manager: it owns a file."""

    def __init__(self) -> None:
        try:
            from datasketch import MinHash
        except ModuleNotFoundError as error:
            raise ThanosError(f"near-duplicates need {error.name}: pip install 'thanos-skill-of-mind[data]'") from None
        self._minhash: Any = MinHash(PERMUTATIONS, seed=1, hashfunc=zlib.crc32, scheme="affine32")
        self._file = tempfile.TemporaryFile(prefix="thanos-minhash-")  # noqa: SIM115
        self._items = array("Q")
        self._groups = array("Q")

    def add(self, item: int, group: int, text: str) -> None:
        """Take in a text.

        Args:
            item: What the caller knows the text by; must rise from text to text.
            group: Texts of one group aren't compared with each other (64 bits, unsigned).
            text: One of fewer than `SHINGLE` words says too little and is left out.
        """
        tokens = words(text)
        if len(tokens) < SHINGLE:
            return
        self._minhash.clear()
        runs = zip(*(tokens[n:] for n in range(SHINGLE)), strict=False)
        self._minhash.update_batch([" ".join(run).encode() for run in runs])
        # The minimum is taken over 32 bits; 16 of them are enough to tell whether two are equal.
        self._file.write((self._minhash.hashvalues & 0xFFFF).astype(np.uint16).tobytes())
        self._items.append(item)
        self._groups.append(group)

    def pairs(self, threshold: float) -> np.ndarray:
        """Pairs of items of different groups with a similarity of at least `threshold`.

        Returns:
            (n, 2) unsigned integers: the earlier item, the later one; sorted by the later. Of more than `NEIGHBOURS`
            equal texts not every pair is named, but each is paired with the first.
        """
        self._file.flush()
        items = np.frombuffer(self._items, np.uint64) if self._items else np.zeros(0, np.uint64)
        groups = np.frombuffer(self._groups, np.uint64) if self._groups else np.zeros(0, np.uint64)
        found = [np.zeros(0, np.uint64)]
        for buckets in self._bands(len(items), _rows_per_band(threshold)):
            codes = _candidates(buckets, groups)
            codes = np.setdiff1d(codes, found[0], assume_unique=True)
            similar = [codes[i : i + _CHUNK] for i in range(0, len(codes), _CHUNK)]
            similar = [chunk[self._similarity(chunk) >= threshold] for chunk in similar]
            found = [np.union1d(found[0], np.concatenate(similar))] if similar else found
        first, second = found[0] >> np.uint64(32), found[0] & np.uint64(0xFFFFFFFF)
        order = np.lexsort((first, second))
        return np.stack([items[first[order]], items[second[order]]], axis=1)

    def close(self) -> None:
        """Delete the signatures."""
        self._file.close()

    def __enter__(self) -> "NearDuplicates":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bands(self, n: int, rows: int) -> Iterator[np.ndarray]:
        """For each band the bucket of every text: a hash of `rows` of its values."""
        for start in range(0, PERMUTATIONS - rows + 1, rows):
            buckets = np.empty(n, np.uint64)
            self._file.seek(0)
            for i in range(0, n, _CHUNK):
                chunk = self._read_chunk(min(_CHUNK, n - i))[:, start : start + rows]
                buckets[i : i + len(chunk)] = _hash_rows(chunk)
            yield buckets

    def _read_chunk(self, n: int) -> np.ndarray:
        raw = self._file.read(n * PERMUTATIONS * 2)
        return np.frombuffer(raw, np.uint16).reshape(n, PERMUTATIONS)

    def _similarity(self, codes: np.ndarray) -> np.ndarray:
        texts, places = np.unique(
            np.concatenate([codes >> np.uint64(32), codes & np.uint64(0xFFFFFFFF)]), return_inverse=True
        )
        signatures = np.empty((len(texts), PERMUTATIONS), np.uint16)
        for i, text in enumerate(texts.tolist()):
            self._file.seek(text * PERMUTATIONS * 2)
            signatures[i] = self._read_chunk(1)[0]
        return (signatures[places[: len(codes)]] == signatures[places[len(codes) :]]).mean(axis=1)


def _rows_per_band(threshold: float) -> int:
    """The most values a band (the fewest needless comparisons) with which a pair at the threshold is still found."""
    chance = lambda rows: 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows)
    return max((rows for rows in range(1, 33) if chance(rows) >= FOUND), default=1)


def _hash_rows(values: np.ndarray) -> np.ndarray:
    hashed = np.zeros(len(values), np.uint64)
    for column in values.T:
        hashed = (hashed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(29)
    return hashed


def _candidates(buckets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Pairs in one bucket, each as (earlier << 32) + later, sorted and without repetition."""
    order = np.argsort(buckets, kind="stable").astype(np.uint64)
    ranked = buckets[order]
    starts = np.r_[True, ranked[1:] != ranked[:-1]] if len(ranked) else np.zeros(0, bool)
    firsts = np.maximum.accumulate(np.where(starts, np.arange(len(ranked)), 0))
    found = [_codes(order[firsts[~starts]], order[~starts], groups)]
    for distance in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(ranked[distance:] == ranked[:-distance])
        if not len(same):
            break
        found.append(_codes(order[same], order[same + distance], groups))
    return np.unique(np.concatenate(found))


def _codes(earlier: np.ndarray, later: np.ndarray, groups: np.ndarray) -> np.ndarray:
    apart = groups[earlier] != groups[later]
    return (earlier[apart] << np.uint64(32)) | later[apart]
