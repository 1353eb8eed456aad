"""The cascade judged on validated reviews that it was not fitted on, and what each LLM call buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.labelling.aggregation import Known, Matrix, folds, without
from training.labelling.cascade import Cascade, CascadeDecisions, fit_cascade
from training.labelling.label_model import UNKNOWN
from training.labelling.votes import Votes
from training.measures.metrics import weighted_f1


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """Held-out decisions about the validated reviews.

    Attributes:
        truth: category ids, int64 [n].
        decisions: by the cascade, the LLM asked about what the cheap labellers left open.
        asked: where the LLM was asked, bool [n].
        curve: (share of reviews sent to the LLM, weighted F1), the least sure sent first.
    """

    truth: NDArray[np.int64]
    decisions: CascadeDecisions
    asked: NDArray[np.bool_]
    curve: tuple[tuple[float, float], ...]

    @property
    def weighted_f1(self) -> float:
        """Weighted F1 over all reviews, best guesses included."""
        return weighted_f1(self.truth, self.decisions.category)

    @property
    def llm_share(self) -> float:
        """Share of the reviews that the LLM was asked about."""
        return float(self.asked.mean())

    @property
    def precision(self) -> float:
        """Share right of what was decided without people; nan where nothing was."""
        decided = ~self.decisions.open
        right = self.decisions.category[decided] == self.truth[decided]
        return float(right.mean()) if decided.any() else float("nan")


def cross_validate(
    cheap: Mapping[str, Votes], llm: Mapping[str, Votes], known: Known, precision: float = 0.95
) -> CrossValidated:
    """Fit the cascade on nine tenths of the validated reviews and decide the last, ten times."""
    rows = np.flatnonzero(known != UNKNOWN)
    everywhere = len(known)
    probabilities = np.zeros((everywhere, category_count()))
    category = np.zeros(everywhere, dtype=np.int64)
    decided = np.full(everywhere, "", dtype=object)
    asked = np.zeros(everywhere, dtype=np.bool_)
    all_asked = np.zeros((everywhere, category_count()))
    cheap_only = np.zeros((everywhere, category_count()))
    for held in folds(known):
        cascade = fit_cascade(cheap, llm, without(known, held), precision)
        result, where = _decide(cascade, cheap, llm, held)
        probabilities[held], category[held] = result.probabilities, result.category
        decided[held], asked[held] = result.decided_by, where
        cheap_only[held] = cascade.cheap.posterior([v.take(held) for v in cheap.values()])
        if cascade.expensive is not None:
            every = [v.take(held) for v in (*cheap.values(), *llm.values())]
            all_asked[held] = cascade.expensive.posterior(every)
    decisions = CascadeDecisions(probabilities[rows], category[rows], tuple(decided[rows]))
    curve = _curve(known[rows], cheap_only[rows], all_asked[rows]) if llm else ()
    return CrossValidated(known[rows], decisions, asked[rows], curve)


def _decide(
    cascade: Cascade, cheap: Mapping[str, Votes], llm: Mapping[str, Votes], rows: Known
) -> tuple[CascadeDecisions, NDArray[np.bool_]]:
    first: Sequence[Votes] = [vote.take(rows) for vote in cheap.values()]
    decisions = cascade.decide(first)
    still = np.flatnonzero(decisions.open)
    asked = np.zeros(len(rows), dtype=np.bool_)
    if llm:
        asked[still] = True
        both = [vote.take(rows[still]) for vote in (*cheap.values(), *llm.values())]
        decisions = cascade.settle(decisions, still, both)
    return decisions, asked


def _curve(
    truth: NDArray[np.int64], cheap: Matrix, everything: Matrix
) -> tuple[tuple[float, float], ...]:
    """Return F1 when the LLM is asked about the least sure share of the reviews."""
    order = np.argsort(cheap.max(axis=1), kind="stable")
    points = []
    for share in np.linspace(0, 1, 21):
        chosen = cheap.argmax(axis=1)
        sent = order[: round(share * len(order))]
        chosen[sent] = everything[sent].argmax(axis=1)
        points.append((float(share), weighted_f1(truth, chosen)))
    return tuple(points)
