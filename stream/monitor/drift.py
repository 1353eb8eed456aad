"""How far one distribution is from another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

# Added to every bin, in counts of the observed sample: an empty bin must not make the index
# infinite, and half an observation is the usual correction (Jeffreys' prior).
_PSEUDO_COUNT: Final = 0.5
# What a reference that is given as shares is taken to be worth. Only its empty bins feel it.
_REFERENCE_SIZE: Final = 1000


def psi(reference: Sequence[float], counts: Sequence[float]) -> float:
    """Return the population stability index of counts against a reference.

    The sum over bins of ``(q - p) * ln(q / p)``; symmetric, never negative. By custom below 0.1
    means no change, above 0.25 a large one (Siddiqi, Credit Risk Scorecards, 2006). Chance alone
    brings about some (bins - 1) / observations: see :func:`psi_beyond_chance`.

    Args:
        reference: share or count of each bin, of any positive sum.
        counts: what was observed, same bins.

    Raises:
        ValueError: the lengths differ, or one of them is empty of observations.
    """
    expected, observed = _pair(reference, counts)
    return sum((q - p) * math.log(q / p) for p, q in zip(expected, observed, strict=True))


def psi_beyond_chance(reference: Sequence[float], counts: Sequence[float]) -> float:
    """Return how far the population stability index exceeds what chance alone brings about.

    Of 77 categories and 200 observations that is 0.3, beyond every customary level, without any
    change. Never negative; the customary levels hold for it.

    Args:
        reference: share or count of each bin, of any positive sum.
        counts: what was observed, same bins.

    Raises:
        ValueError: the lengths differ, or one of them is empty of observations.
    """
    return max(psi(reference, counts) - _psi_by_chance(reference, counts), 0.0)


def _psi_by_chance(reference: Sequence[float], counts: Sequence[float]) -> float:
    """Return what is expected of two samples of one distribution, to the second order.

    A bin adds the variances of its two shares over their mean, as smoothed; and smoothing moves the
    shares of a small sample further than those of the reference.
    """
    total, size = math.fsum(counts), math.fsum(reference)
    # Shares hide how many there were.
    known = size if size > 1 + 1e-9 else _REFERENCE_SIZE
    shares = _shares([a / size * known + b for a, b in zip(reference, counts, strict=True)])
    shrunk = 1 / (1 + _PSEUDO_COUNT * len(shares) / total)
    shrunk_reference = 1 / (1 + _PSEUDO_COUNT * len(shares) / _REFERENCE_SIZE)
    expected, observed = _pair(shares, [share * total for share in shares])
    found = 0.0
    for share, p, q in zip(shares, expected, observed, strict=True):
        variance = share * (1 - share) * (shrunk**2 / total + shrunk_reference**2 / known)
        found += 2 * variance / (p + q) + (q - p) * math.log(q / p)
    return found


def jensen_shannon(reference: Sequence[float], counts: Sequence[float]) -> float:
    """Return the Jensen-Shannon divergence in bits, 0 (same) to 1 (nothing in common).

    Source: Lin, Divergence Measures Based on the Shannon Entropy, 1991.

    Args:
        reference: share or count of each bin, of any positive sum.
        counts: what was observed, same bins.

    Raises:
        ValueError: the lengths differ, or one of them is empty of observations.
    """
    p, q = _shares(reference), _shares(counts)
    if len(p) != len(q):
        raise ValueError(f"{len(p)} bins against {len(q)}")
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    divergence = (_kullback_leibler(p, middle) + _kullback_leibler(q, middle)) / 2
    return min(max(divergence, 0.0), 1.0)  # rounding only


def _kullback_leibler(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * math.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def _pair(reference: Sequence[float], counts: Sequence[float]) -> tuple[list[float], list[float]]:
    if len(reference) != len(counts):
        raise ValueError(f"{len(reference)} bins against {len(counts)}")
    scaled = [share * _REFERENCE_SIZE for share in _shares(reference)]
    _shares(counts)  # refuses an empty sample before smoothing would hide it
    return (
        _shares([value + _PSEUDO_COUNT for value in scaled]),
        _shares([value + _PSEUDO_COUNT for value in counts]),
    )


def _shares(values: Sequence[float]) -> list[float]:
    total = math.fsum(values)
    if not total > 0:
        raise ValueError("there is nothing to compare")
    return [value / total for value in values]
