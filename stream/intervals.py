"""Intervals of shares that were counted: how far what was seen may be from what holds."""

from __future__ import annotations

from math import sqrt
from typing import Final

# Of a normal distribution: 95% lie within.
_Z: Final = 1.959964


def wilson(hits: float, of: float) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson, JASA 22, 1927); it holds up for few and for all.

    Without anything counted it is 0 to 1.

    >>> low, high = wilson(19, 20)
    >>> round(low, 2), round(high, 2)
    (0.76, 0.99)
    """
    if not of:
        return 0.0, 1.0
    share, z2 = hits / of, _Z**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    reach = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)
