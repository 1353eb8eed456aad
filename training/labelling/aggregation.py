"""The ways to make one opinion of many votes, tried on the validated sample side by side.

Each is fitted by a function of one shape, so that the trivial one (majority vote) goes through the
same door as the clever ones and has to be beaten there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from training.labelling.label_model import UNKNOWN, fit_label_model, majority_vote
from training.labelling.pooling import fit_pool
from training.labelling.votes import Votes
from training.measures.metrics import accuracy, weighted_f1

Matrix = NDArray[np.float64]
Known = NDArray[np.int64]
FOLDS: Final = 10
# F1 of two hundred reviews is not known better than this: a smaller lead decides nothing.
_TIE: Final = 0.005
_FLOOR: Final = 1e-6


class Aggregator(Protocol):
    """A fitted way to combine votes."""

    def posterior(self, votes: Sequence[Votes]) -> Matrix:
        """Return P(category | votes), float64 [texts, categories]."""


Fit = Callable[[Sequence[Votes], Known, Matrix], Aggregator]
"""Fits on votes, categories (-1 where unknown, int64 [texts]) and category shares, float64 [categories]."""


@dataclass(frozen=True, slots=True)
class MajorityVote:
    """The mean of all votes that are not abstentions."""

    prior: Matrix

    def posterior(self, votes: Sequence[Votes]) -> Matrix:
        """Return the mean vote, float64 [texts, categories]; the prior where all abstain."""
        return majority_vote(votes, self.prior)


def fit_majority(_votes: Sequence[Votes], _known: Known, prior: Matrix) -> Aggregator:
    """Fit nothing: majority vote needs no more than to know which categories occur."""
    return MajorityVote(prior)


AGGREGATORS: Final[Mapping[str, Fit]] = {
    "majority": fit_majority,
    "label-model": fit_label_model,
    "pool": fit_pool,
}


@dataclass(frozen=True, slots=True)
class AggregatorScore:
    """How an aggregator does on validated reviews that it was not fitted on."""

    name: str
    accuracy: float
    weighted_f1: float
    log_loss: float


def folds(known: Known, seed: int = 0) -> Iterator[Known]:
    """Yield row numbers of each fold of the validated reviews, at random but always alike."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(known != UNKNOWN))
    for fold in range(min(FOLDS, len(rows))):
        yield rows[fold::FOLDS]


def without(known: Known, rows: Known) -> Known:
    """Return the known categories with these rows' forgotten."""
    rest = known.copy()
    rest[rows] = UNKNOWN
    return rest


def held_out_posterior(fit: Fit, votes: Sequence[Votes], known: Known, prior: Matrix) -> Matrix:
    """Return posteriors of validated rows by fits that did not see them, float64 [texts, categories].

    Other rows stay zero.
    """
    posterior = np.zeros((len(known), len(prior)))
    for rows in folds(known):
        posterior[rows] = fit(votes, without(known, rows), prior).posterior(
            [vote.take(rows) for vote in votes]
        )
    return posterior


def score(name: str, posterior: Matrix, known: Known) -> AggregatorScore:
    """Score posteriors of the validated rows."""
    rows = np.flatnonzero(known != UNKNOWN)
    truth, chosen = known[rows], posterior[rows].argmax(axis=1)
    likelihood = np.maximum(posterior[rows, truth], _FLOOR)
    return AggregatorScore(
        name,
        accuracy(truth, chosen),
        weighted_f1(truth, chosen),
        float(-np.log(likelihood).mean()),
    )


def choose_aggregator(
    votes: Sequence[Votes], known: Known, prior: Matrix
) -> tuple[str, list[AggregatorScore]]:
    """Cross-validate every aggregator; return the best one's name and all scores.

    Best is the highest weighted F1; among equals (half a point apart), the lowest log loss, because
    thresholds stand on the probabilities.
    """
    scores = [
        score(name, held_out_posterior(fit, votes, known, prior), known)
        for name, fit in AGGREGATORS.items()
    ]
    top = max(result.weighted_f1 for result in scores)
    equals = [result for result in scores if result.weighted_f1 >= top - _TIE]
    return min(equals, key=lambda result: result.log_loss).name, scores
