"""The weighted pool: calibrated votes multiplied, each to the power that the validated sample earns it.

A logarithmic opinion pool (Genest and Zidek, Statistical Science 1, 1986) over votes that went
through their voter's own confusion matrix. Unlike Dawid and Skene's model it does not take voters for
independent: one that only repeats another gets a weight near zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.labelling.label_model import UNKNOWN
from training.labelling.votes import Votes

Matrix = NDArray[np.float64]

# A voter starts as if seen to be right in this share of a few votes for each category.
_PRIOR_ACCURACY: Final = 0.8
_PRIOR_VOTES: Final = 4.0
# Pull of a voter's weight towards its start. At 0.5 the validated two hundred can overrule it.
_RIDGE: Final = 0.5
_START: Final = 0.5
_MOST: Final = 3.0
_SWEEPS: Final = 50
_CONVERGED: Final = 1e-3
# No single voter may rule out a category that occurs.
_FLOOR: Final = 1e-4


@dataclass(frozen=True, slots=True)
class VotePool:
    """A fitted pool.

    Attributes:
        prior: share of each category, float64 [categories]; a category with none is never chosen.
        meaning: by voter, P(category | vote), float64 [voters, 9 voted, 9 true].
        weights: exponent of each voter, float64 [voters].
    """

    prior: Matrix
    meaning: Matrix
    weights: Matrix

    def posterior(self, votes: Sequence[Votes]) -> Matrix:
        """Return P(category | votes), float64 [texts, categories]; the prior where all abstain."""
        evidence = _evidence(votes, self.meaning, self.prior)
        return _softmax(_log(self.prior) + np.tensordot(self.weights, evidence, axes=1))


def fit_pool(
    votes: Sequence[Votes],
    known: NDArray[np.int64],
    prior: Matrix,
    trust: Sequence[float | None] | None = None,
) -> VotePool:
    """Learn what each voter's votes mean, and how much they weigh, from validated reviews.

    Args:
        votes: one per voter.
        known: categories of the validated reviews among the texts, -1 elsewhere, int64 [texts].
        prior: share of each category, float64 [categories].
        trust: by voter, a fixed weight instead of a learnt one, for a voter that the validated
            sample cannot judge; None learns it.
    """
    rows = np.flatnonzero(known != UNKNOWN)
    votes, known = [vote.take(rows) for vote in votes], known[rows]
    meaning = np.stack([vote_meaning(vote, known, prior) for vote in votes])
    held = [None] * len(votes) if trust is None else list(trust)
    weights = np.array([_START if fixed is None else fixed for fixed in held])
    free = np.array([fixed is None for fixed in held])
    if free.any() and len(known):
        evidence = _evidence(votes, meaning, prior)
        weights[free] = _fit_weights(evidence, known, prior, weights, free)[free]
    return VotePool(prior, meaning, weights)


def vote_meaning(vote: Votes, known: NDArray[np.int64], prior: Matrix) -> Matrix:
    """Return P(category | vote) of one voter, float64 [9 voted, 9 true]; rows sum to one.

    Counts of soft votes on the validated reviews, over a few invented votes that are mostly right.
    A vote for a category that does not occur means whatever the validated sample shows.
    """
    counts = vote.probabilities.astype(np.float64).T @ np.eye(category_count())[known]
    invented = _PRIOR_ACCURACY * np.eye(category_count()) + (1 - _PRIOR_ACCURACY) * prior
    invented[:, prior == 0] = 0
    invented /= invented.sum(axis=1, keepdims=True)
    meaning = counts + _PRIOR_VOTES * invented
    return np.asarray(meaning / meaning.sum(axis=1, keepdims=True))


def _evidence(votes: Sequence[Votes], meaning: Matrix, prior: Matrix) -> Matrix:
    """Return log P(category | vote) / P(category), float64 [voters, texts, 9]; 0 to abstain."""
    occurs = prior > 0
    rows = []
    for vote, matrix in zip(votes, meaning, strict=True):
        calibrated = np.maximum(vote.probabilities.astype(np.float64) @ matrix, _FLOOR)
        evidence = np.zeros_like(calibrated)
        evidence[:, occurs] = np.log(calibrated[:, occurs]) - np.log(prior[occurs])
        evidence[vote.abstained] = 0
        rows.append(evidence)
    return np.stack(rows)


def _fit_weights(
    evidence: Matrix,
    known: NDArray[np.int64],
    prior: Matrix,
    start: Matrix,
    free: NDArray[np.bool_],
) -> Matrix:
    """Minimise the validated reviews' log loss with a ridge towards the start.

    Newton's method one weight at a time: the loss is convex, the weights are few, and each step is
    a closed form that can be clipped to its bounds.
    """
    rows = np.arange(len(known))
    log_prior = _log(prior)
    weights = start.copy()
    for _ in range(_SWEEPS):
        before = weights.copy()
        for voter in np.flatnonzero(free):
            said = evidence[voter]
            posterior = _softmax(log_prior + np.tensordot(weights, evidence, axes=1))
            expected = (posterior * said).sum(axis=1)
            variance = (posterior * said**2).sum(axis=1) - expected**2
            pull = 2 * _RIDGE * (weights[voter] - start[voter])
            slope = (expected - said[rows, known]).sum() + pull
            step = slope / (variance.sum() + 2 * _RIDGE)
            weights[voter] = np.clip(weights[voter] - step, 0.0, _MOST)
        if np.abs(weights - before).max() < _CONVERGED:
            break
    return weights


def _log(prior: Matrix) -> Matrix:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(prior))


def _softmax(logits: Matrix) -> Matrix:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))
