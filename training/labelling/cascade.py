"""The cascade: cheap labellers first, the expensive one only where they are not sure together, then people.

Fitting looks at votes about validated reviews, deciding at votes about any reviews; neither calls a
labeller, so that the same votes can be decided again under other thresholds for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import Category
from training.labelling.aggregation import (
    AGGREGATORS,
    Aggregator,
    AggregatorScore,
    Known,
    Matrix,
    choose_aggregator,
    held_out_posterior,
)
from training.labelling.calibration import (
    NEVER,
    Calibration,
    calibrate,
    calibrated_choices,
    lowest_threshold,
)
from training.labelling.label_model import UNKNOWN
from training.labelling.pooling import fit_pool
from training.labelling.prior import Fate, Prior, assumed_prior, estimate_prior
from training.labelling.votes import Votes

AGREEMENT: Final = "agreement"
PEOPLE: Final = "people"
_AGREEING: Final = 2
# What the pool must be sure of where nothing was measured.
_ASSUMED_SURE: Final = 0.9
# Weights then: the first labeller decides, the others tip the balance.
_ASSUMED_FIRST: Final = 1.5
_ASSUMED_OTHER: Final = 0.3


@dataclass(frozen=True, slots=True)
class Combination:
    """Some labellers together: each calibrated, and the aggregator that did best with them.

    Attributes:
        names: the labellers.
        calibrations: one per labeller.
        aggregator: fitted on what all of them say.
        method: the aggregator's name.
        decides: its probability from which on it decides.
        scores: how every aggregator did, cross-validated.
    """

    names: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    aggregator: Aggregator
    method: str
    decides: float
    scores: tuple[AggregatorScore, ...]

    def heard(self, votes: Sequence[Votes]) -> list[Votes]:
        """Return the votes with everyone silent below their own threshold."""
        return [c.heard(v) for c, v in zip(self.calibrations, votes, strict=True)]

    def posterior(self, votes: Sequence[Votes]) -> Matrix:
        """Return P(category | votes), float64 [texts, categories]."""
        return self.aggregator.posterior(self.heard(votes))


@dataclass(frozen=True, slots=True)
class CascadeDecisions:
    """What the cascade makes of each review.

    Attributes:
        probabilities: float64 [texts, categories]; the best guess where nobody decided.
        category: int64 [texts].
        decided_by: a labeller's name, "agreement", an aggregator's name, or "people".
    """

    probabilities: Matrix
    category: NDArray[np.int64]
    decided_by: tuple[str, ...]

    @property
    def open(self) -> NDArray[np.bool_]:
        """Reviews that nobody decided, bool [texts]."""
        return np.array([by == PEOPLE for by in self.decided_by], dtype=np.bool_)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the category given, float64 [texts]."""
        return np.asarray(self.probabilities[np.arange(len(self.category)), self.category])


@dataclass(frozen=True, slots=True)
class Cascade:
    """A fitted cascade.

    Attributes:
        cheap: the labellers that every review goes through.
        expensive: the same and the LLM, for the rest; None without an LLM.
        prior: shares and fates of the categories.
    """

    cheap: Combination
    expensive: Combination | None
    prior: Prior

    def decide(self, votes: Sequence[Votes]) -> CascadeDecisions:
        """Decide by the cheap labellers alone; the rest stays open.

        In this order: a labeller that is sure alone and that nobody sure contradicts; labellers
        that agree, each sure enough to be heard; the aggregator.
        """
        posterior = self.cheap.posterior(votes)
        category = posterior.argmax(axis=1)
        decided = np.full(len(category), PEOPLE, dtype=object)
        decided[posterior.max(axis=1) >= self.cheap.decides] = self.cheap.method
        for method, chosen, rows in _agreements(self.cheap, votes):
            decided[rows], category[rows] = method, chosen[rows]
        decided[self.prior.to_people[category]] = PEOPLE
        return CascadeDecisions(posterior, category, tuple(decided))

    def settle(
        self, decisions: CascadeDecisions, rows: Known, votes: Sequence[Votes]
    ) -> CascadeDecisions:
        """Return the decisions with some open reviews settled by all labellers.

        Args:
            decisions: what :meth:`decide` left.
            rows: numbers of the reviews that the LLM was asked about, int64 [n].
            votes: all labellers' votes on those reviews, the LLM's last.
        """
        if self.expensive is None or not len(rows):
            return decisions
        posterior = self.expensive.posterior(votes)
        category = posterior.argmax(axis=1)
        sure = (posterior.max(axis=1) >= self.expensive.decides) & ~self.prior.to_people[category]
        probabilities, categories = decisions.probabilities.copy(), decisions.category.copy()
        decided = np.array(decisions.decided_by, dtype=object)
        probabilities[rows], categories[rows] = posterior, category
        decided[rows] = np.where(sure, self.expensive.names[-1], PEOPLE)
        return CascadeDecisions(probabilities, categories, tuple(decided))


def fit_cascade(
    cheap: Mapping[str, Votes],
    llm: Mapping[str, Votes],
    known: Known,
    precision: float = 0.95,
    fates: Mapping[Category, Fate] | None = None,
) -> Cascade:
    """Fit thresholds, weights and the categories' fates on validated reviews.

    Args:
        cheap: votes of the cheap labellers by name, the most believable first, on all reviews.
        llm: votes of at most one LLM by name; those on validated reviews are needed, elsewhere it
            may abstain.
        known: categories of the validated reviews, -1 elsewhere, int64 [texts].
        precision: wanted of everything that is decided without people.
        fates: categories that the caller keeps, drops or leaves to people.
    """
    prior = estimate_prior(known[known != UNKNOWN], list(cheap.values()), fates)
    cascade = Cascade(fit_combination(cheap, known, prior.shares, precision), None, prior)
    return add_llm(cascade, cheap, llm, known, precision) if llm else cascade


def add_llm(
    cascade: Cascade,
    cheap: Mapping[str, Votes],
    llm: Mapping[str, Votes],
    known: Known,
    precision: float,
) -> Cascade:
    """Return the cascade with an LLM fitted beside the cheap labellers, where it was asked."""
    asked = np.any([~vote.abstained for vote in llm.values()], axis=0)
    rows = np.flatnonzero(asked | (known != UNKNOWN))
    votes = {name: vote.take(rows) for name, vote in {**cheap, **llm}.items()}
    expensive = fit_combination(votes, known[rows], cascade.prior.shares, precision)
    return replace(cascade, expensive=expensive)


def assume_cascade(
    cheap: Mapping[str, Votes],
    fates: Mapping[Category, Fate] | None = None,
    llm: Mapping[str, Votes] | None = None,
    prior: Prior | None = None,
) -> Cascade:
    """Return a cascade for reviews of which none is validated: cautious, and measured on nothing.

    Every category is kept, the first labeller counts most, and only what the pool of all of them is
    sure of is decided.
    """
    prior = prior or assumed_prior(list(cheap.values()), fates)
    expensive = _assumed({**cheap, **llm}, prior.shares) if llm else None
    return Cascade(_assumed(cheap, prior.shares), expensive, prior)


def _assumed(votes: Mapping[str, Votes], prior: Matrix) -> Combination:
    nothing = np.full(len(next(iter(votes.values()))), UNKNOWN, dtype=np.int64)
    heard = list(votes.values())
    alone = tuple(Calibration(fit_pool([vote], nothing, prior), 0.0, NEVER) for vote in heard)
    weights = [_ASSUMED_FIRST, *[_ASSUMED_OTHER] * (len(heard) - 1)]
    pool = fit_pool(heard, nothing, prior, weights)
    return Combination(tuple(votes), alone, pool, "pool", _ASSUMED_SURE, ())


def fit_combination(
    votes: Mapping[str, Votes], known: Known, prior: Matrix, precision: float
) -> Combination:
    """Calibrate labellers, and choose and fit their aggregator, on validated reviews."""
    calibrations = tuple(calibrate(vote, known, prior, precision) for vote in votes.values())
    heard = [c.heard(v) for c, v in zip(calibrations, votes.values(), strict=True)]
    method, scores = choose_aggregator(heard, known, prior)
    rows = np.flatnonzero(known != UNKNOWN)
    held_out = held_out_posterior(AGGREGATORS[method], heard, known, prior)[rows]
    right = held_out.argmax(axis=1) == known[rows]
    return Combination(
        tuple(votes),
        calibrations,
        AGGREGATORS[method](heard, known, prior),
        method,
        lowest_threshold(held_out.max(axis=1), right, precision),
        tuple(scores),
    )


def _agreements(
    labellers: Combination, votes: Sequence[Votes]
) -> list[tuple[str, NDArray[np.int64], NDArray[np.bool_]]]:
    """Return (by whom, category by text, where) for agreement, then for each labeller alone.

    Later ones overrule earlier ones: a labeller that is sure alone needs no second.
    """
    confidence, choice = calibrated_choices(labellers.calibrations, votes)
    if not labellers.scores:  # nothing was measured: a vote means what it says
        choice = np.stack([vote.choices for vote in votes])
    speaks = confidence >= np.array([[c.speaks] for c in labellers.calibrations])
    speaks &= np.stack([~vote.abstained for vote in votes])
    decides = confidence >= np.array([[c.decides] for c in labellers.calibrations])
    found = []
    for voter in range(len(labellers.names)):
        same = choice == choice[voter]
        agreed = speaks[voter] & ((speaks & same).sum(axis=0) >= _AGREEING)
        found.append((AGREEMENT, choice[voter], agreed & ~(speaks & ~same).any(axis=0)))
    for voter, name in reversed(list(enumerate(labellers.names))):
        same = choice == choice[voter]
        found.append((name, choice[voter], decides[voter] & ~(decides & ~same).any(axis=0)))
    return found
