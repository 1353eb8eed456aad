"""What one labeller's confidence is worth, and from which confidence on it may speak or decide.

Everything is chosen on validated reviews that the calibration in question did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.labelling.aggregation import Known, Matrix, held_out_posterior
from training.labelling.label_model import UNKNOWN
from training.labelling.pooling import VotePool, fit_pool
from training.labelling.votes import Votes

NEVER: Final = 2.0
"""A threshold that no probability reaches."""
# Below this precision a labeller's votes do the others more harm than good, and it abstains.
_WORTH_HEARING: Final = 0.75
# Invented errors that shrink the precision of few votes: 19 right of 19 is not a precision of one.
_INVENTED_ERRORS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """One labeller's confidence, made to mean something.

    Attributes:
        pool: turns its votes into probabilities that hold on the validated sample.
        speaks: below this probability it abstains.
        decides: from this probability on it is right as often as wanted, alone.
    """

    pool: VotePool
    speaks: float
    decides: float

    def probabilities(self, vote: Votes) -> Matrix:
        """Return its calibrated opinion, float64 [texts, categories]; zeros where it abstains."""
        posterior = self.pool.posterior([vote])
        posterior[vote.abstained] = 0
        return posterior

    def heard(self, vote: Votes) -> Votes:
        """Return the votes with abstention where it is not sure enough to be heard."""
        return vote.where(self.probabilities(vote).max(axis=1) >= self.speaks)


def calibrate(vote: Votes, known: Known, prior: Matrix, precision: float) -> Calibration:
    """Calibrate a labeller and choose its thresholds.

    Args:
        vote: its votes.
        known: categories of the validated reviews, -1 elsewhere, int64 [texts].
        prior: share of each category, float64 [categories].
        precision: wanted of what it decides alone.
    """
    rows = np.flatnonzero((known != UNKNOWN) & ~vote.abstained)
    held_out = held_out_posterior(fit_pool, [vote], known, prior)[rows]
    confidence, right = held_out.max(axis=1), held_out.argmax(axis=1) == known[rows]
    return Calibration(
        fit_pool([vote], known, prior),
        lowest_threshold(confidence, right, _WORTH_HEARING),
        lowest_threshold(confidence, right, precision),
    )


def lowest_threshold(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], precision: float
) -> float:
    """Return the lowest confidence from which on enough is right.

    The precision is counted with half an error more than was seen, so that a handful of lucky votes
    does not open the door. :data:`NEVER` where no threshold reaches it.

    >>> lowest_threshold(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 1, 1, 0], dtype=bool), 0.8)
    0.7
    """
    order = np.argsort(-confidence, kind="stable")
    correct = np.cumsum(right[order])
    shrunk = correct / (np.arange(1, len(order) + 1) + _INVENTED_ERRORS)
    sorted_confidence = confidence[order]
    # A threshold cannot part equals: only the last of them counts.
    last = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)[: len(order)]
    reached = np.flatnonzero((shrunk >= precision) & last)
    return float(sorted_confidence[reached[-1]]) if len(reached) else NEVER


def calibrated_choices(
    calibrations: Sequence[Calibration], votes: Sequence[Votes]
) -> tuple[Matrix, NDArray[np.int64]]:
    """Return every labeller's calibrated confidence and choice.

    Returns:
        Confidence float64 [labellers, texts], 0 where it abstains, and category id
        int64 [labellers, texts].
    """
    opinions = np.stack([c.probabilities(v) for c, v in zip(calibrations, votes, strict=True)])
    return opinions.max(axis=2), opinions.argmax(axis=2)
