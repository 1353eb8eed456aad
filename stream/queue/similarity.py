"""Finding near-identical texts among tens of thousands without comparing all pairs.

MinHash with banding (Broder 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3):
texts that share a band of their signatures are candidates, and an exact comparison decides.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

NEAR_IDENTICAL: Final = 0.8
"""Jaccard similarity of letter trigrams from which two texts count as the same thing said twice."""

# 10 bands of 5 rows find a pair at 0.8 with probability 1 - (1 - 0.8**5)**10 = 0.98, and one at
# 0.5 in 27 of 100 cases, which the exact comparison then turns down.
_BANDS: Final = 10
_ROWS: Final = 5
_SHINGLE: Final = 3
_PRIME: Final = np.uint64((1 << 31) - 1)  # products of two residues stay below 2**62
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_DIGITS: Final = re.compile(r"\d+")

_random = np.random.default_rng(
    20_111
)  # any seed will do, but it must never change: bands are kept
_FACTORS: Final = _random.integers(1, int(_PRIME), (_BANDS * _ROWS, 1), dtype=np.uint64)
_OFFSETS: Final = _random.integers(0, int(_PRIME), (_BANDS * _ROWS, 1), dtype=np.uint64)


def shingles(normalized: str) -> frozenset[str]:
    """Return a text's letter trigrams, punctuation and the values of numbers left aside.

    Args:
        normalized: what :func:`stream.text.normalize` returned.
    """
    bare = _NOT_A_WORD.sub(" ", _DIGITS.sub("0", normalized)).strip()
    if len(bare) <= _SHINGLE:
        return frozenset((bare,))
    return frozenset(bare[i : i + _SHINGLE] for i in range(len(bare) - _SHINGLE + 1))


def bands(parts: frozenset[str]) -> list[str]:
    """Return the text's 10 band keys: near-identical texts nearly always share one."""
    hashes = np.fromiter((zlib.crc32(p.encode()) for p in parts), dtype=np.uint64, count=len(parts))
    signature: NDArray[np.uint64] = (
        (_FACTORS * (hashes % _PRIME)[None, :] + _OFFSETS) % _PRIME
    ).min(axis=1)
    rows = signature.astype("<u4").reshape(_BANDS, _ROWS)
    return [f"{i:x}{zlib.crc32(row.tobytes()):08x}" for i, row in enumerate(rows)]


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of shingles that both texts have, 0 to 1."""
    return len(one & other) / len(one | other)
