"""Precision that is expected between audits, from calibrated confidences.

Confidence-based performance estimation, as NannyML does (Białek et al., "Estimating Model Performance
Under Covariate Shift Without Labels", 2024, arXiv:2401.08348): if confidences are calibrated, the mean
confidence of what was published is the share of it that is right. It needs nobody and follows a changed
mix at once. It knows nothing of what the model does not know: where confidences themselves have become
wrong, on goods that the model never saw, it says that all is well. So it may raise an alarm, and never
holds a category.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

# One-sided 97.5% of a normal distribution.
_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected precision of some published reviews.

    Attributes:
        published: reviews.
        precision: share of them that should be right.
        reach: how far chance may move what is measured from that, 95%.
    """

    published: int
    precision: float
    reach: float

    def shortfall(self, promised: float) -> float:
        """Return by how much less than promised is expected, beyond chance; below 0: none."""
        return promised - self.precision - self.reach


def estimate(published: int, confidence: float) -> Estimate | None:
    """Return the expected precision; None: nothing was published, or no worker told of it.

    Args:
        published: reviews.
        confidence: sum of their calibrated confidences.
    """
    if published <= 0 or confidence <= 0:
        return None
    share = min(confidence / published, 1.0)
    # A sum of chances below 1 varies at most as equal ones do.
    return Estimate(published, share, _Z * sqrt(share * (1 - share) / published))
