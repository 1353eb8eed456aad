"""The label model: what several soft votes that may abstain say together.

Dawid and Skene's model (Applied Statistics 28, 1979), with three additions. A vote is a distribution
and counts by its shares; abstaining is an answer like another, with a rate that may depend on the
category; and reviews whose category is known (the validated sample) stay fixed through the
expectation-maximisation, so that voters who err together cannot outvote the truth about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.labelling.votes import Votes

Posterior = NDArray[np.float64]

UNKNOWN: Final = -1
_ITERATIONS: Final = 50
_CONVERGED: Final = 1e-4
# Before any evidence, a voter is believed as if seen to be right in 7 of 10 reviews of a category.
_PRIOR_VOTES: Final = 4.0
_PRIOR_ACCURACY: Final = 0.7
_PRIOR_ABSTAIN: Final = 0.1
# Each validated review counts for this many unvalidated ones: its category is known, theirs guessed.
_ANCHOR_WEIGHT: Final = 5.0


@dataclass(frozen=True, slots=True)
class LabelModel:
    """A fitted model.

    Attributes:
        prior: share of each category, float64 [categories].
        confusion: by voter, P(answer | category), float64 [voters, 9, 10]; the last answer is to
            abstain.
    """

    prior: NDArray[np.float64]
    confusion: NDArray[np.float64]

    def posterior(self, votes: Sequence[Votes]) -> Posterior:
        """Return P(category | votes), float64 [texts, categories]."""
        return _expect(_answers(votes), self.prior, self.confusion)


def fit_label_model(
    votes: Sequence[Votes],
    known: NDArray[np.int64],
    prior: NDArray[np.float64],
) -> LabelModel:
    """Estimate how far each voter can be believed about each category.

    Args:
        votes: one per voter, all about the same texts.
        known: category id where it is known, -1 elsewhere, int64 [texts].
        prior: share of each category, float64 [categories]; zero for one that does not occur. It is kept.
    """
    answers = _answers(votes)
    fixed = known != UNKNOWN
    weight = np.where(fixed, _ANCHOR_WEIGHT, 1.0)[:, None]
    truth: Posterior = _majority_start(votes, prior)
    truth[fixed] = np.eye(category_count())[known[fixed]]
    confusion = _maximise(answers, truth * weight)
    for _ in range(_ITERATIONS):
        update: Posterior = _expect(answers, prior, confusion)
        update[fixed] = truth[fixed]
        change = float(np.abs(update - truth).mean())
        truth = update
        confusion = _maximise(answers, truth * weight)
        if change < _CONVERGED:
            break
    return LabelModel(prior, confusion)


def majority_vote(votes: Sequence[Votes], prior: NDArray[np.float64]) -> Posterior:
    """Return the mean of the votes that are not abstentions, float64 [texts, categories].

    Where all abstain it is the prior. The trivial sibling that the label model must beat.
    """
    total: Posterior = np.sum([v.probabilities for v in votes], axis=0, dtype=np.float64)
    total[:, prior == 0] = 0
    spoken = total.sum(axis=1, keepdims=True)
    return np.where(spoken > 0, total / np.where(spoken > 0, spoken, 1), prior)


def _answers(votes: Sequence[Votes]) -> NDArray[np.float64]:
    """Stack votes with abstaining as a tenth answer, float64 [voters, texts, 10]."""
    return np.stack(
        [np.column_stack([vote.probabilities, vote.abstained]).astype(np.float64) for vote in votes]
    )


def _majority_start(votes: Sequence[Votes], prior: NDArray[np.float64]) -> Posterior:
    start = majority_vote(votes, prior)
    blend = 0.9 * start + 0.1 * prior  # no category is ruled out before the first step
    return np.asarray(blend / blend.sum(axis=1, keepdims=True))


def _maximise(answers: NDArray[np.float64], truth: Posterior) -> NDArray[np.float64]:
    """Return each voter's confusion given (weighted) categories, with the prior votes."""
    counts = truth.T @ answers + _prior_counts()
    return np.asarray(counts / counts.sum(axis=2, keepdims=True))


def _prior_counts() -> NDArray[np.float64]:
    spread = (1 - _PRIOR_ACCURACY - _PRIOR_ABSTAIN) / (category_count() - 1)
    counts = np.full((category_count(), category_count() + 1), spread)
    counts[np.arange(category_count()), np.arange(category_count())] = _PRIOR_ACCURACY
    counts[:, category_count()] = _PRIOR_ABSTAIN
    return _PRIOR_VOTES * counts


def _expect(
    answers: NDArray[np.float64],
    prior: NDArray[np.float64],
    confusion: NDArray[np.float64],
) -> Posterior:
    log_likelihood = (answers @ np.log(confusion).transpose(0, 2, 1)).sum(axis=0)
    with np.errstate(divide="ignore"):
        logits = np.log(prior) + log_likelihood
    logits -= logits.max(axis=1, keepdims=True)
    exp = np.exp(logits)
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))
