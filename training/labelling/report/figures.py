"""The numbers of a report, taken from a run; nothing here knows how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas import Category, all_categories, category_count
from stream.intervals import wilson
from training.labelling.aggregation import AGGREGATORS, Known, held_out_posterior
from training.labelling.calibration import NEVER, Calibration
from training.labelling.crossval import CrossValidated, cross_validate
from training.labelling.label_model import UNKNOWN
from training.labelling.run import LabellingRun
from training.labelling.votes import Votes
from training.measures.metrics import Interval, bootstrap, weighted_f1

_MISTAKES_SHOWN = 6
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class LabellerMistake:
    """A validated review that a labeller got wrong."""

    text: str
    truth: Category
    said: Category
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class LabellerFigures:
    """One labeller.

    Attributes:
        name: its name.
        coverage: share of the reviews asked about that it votes on.
        overlap: share on which another labeller votes too.
        conflict: share on which another labeller says something else.
        decided: reviews that it decided alone.
        precision: share right of its votes on validated reviews, with its 95% interval (Wilson);
            None if there are none.
        f1: weighted F1 on validated reviews, an abstention counting as a mistake; bootstrapped.
        validated: validated reviews that it voted on.
        speaks: calibrated probability below which it is not heard; None: never heard.
        decides: calibrated probability from which on it decides alone; None: never.
        per_second: reviews a second, on this machine in this run.
        mistakes: the most confident wrong votes.
    """

    name: str
    coverage: float
    overlap: float
    conflict: float
    decided: int
    precision: Interval | None
    f1: Interval | None
    validated: int
    speaks: float | None
    decides: float | None
    per_second: float
    mistakes: tuple[LabellerMistake, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to combine the votes, or one labeller alone, on validated reviews it was not fitted on."""

    name: str
    accuracy: Interval
    f1: Interval
    note: str = ""


@dataclass(frozen=True, slots=True)
class LlmFigures:
    """What the LLM cost and saved.

    Attributes:
        name: the model.
        reviews: distinct reviews that it was asked about, validated ones included.
        validated: how many of them are validated.
        spared: reviews that needed no LLM.
        share: share of the reviews to be labelled that it was asked about.
        deciding: share that it was asked about in order to decide them, not to learn its worth.
        calls, cached, malformed, failed: requests, as :class:`~training.labelling.llm.voter.Usage`
            counts them; None for recorded answers.
        tokens: prompt and answer.
        money: at the configured prices.
        seconds: spent asking.
    """

    name: str
    reviews: int
    validated: int
    spared: int
    share: float
    deciding: float
    seconds: float
    calls: int | None = None
    cached: int | None = None
    malformed: int | None = None
    failed: int | None = None
    tokens: int | None = None
    money: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that a report shows.

    Attributes:
        reviews: to be labelled.
        decided_by: reviews by who decided them.
        categories: decided reviews by category.
        labellers: one each.
        methods: cross-validated; empty without validated reviews.
        crossvalidated: the cascade on held-out validated reviews; None without any.
        llm: None if none was asked.
        run: what it all comes from.
    """

    reviews: int
    decided_by: Mapping[str, int]
    categories: Mapping[Category, int]
    labellers: tuple[LabellerFigures, ...]
    methods: tuple[Method, ...]
    crossvalidated: CrossValidated | None
    llm: LlmFigures | None
    run: LabellingRun

    @property
    def validated(self) -> int:
        """How many validated reviews the figures stand on."""
        return int((self.run.known != UNKNOWN).sum())


def gather_figures(run: LabellingRun, precision: float, llm: LlmFigures | None = None) -> Figures:
    """Work out a run's figures; the cascade is cross-validated, which takes some seconds.

    Args:
        run: a finished run.
        precision: that was wanted.
        llm: what asking cost, from :func:`llm_figures`.
    """
    rows = slice(0, run.labelled)
    decided_by = Counter(run.decisions.decided_by[rows])
    decided = ~run.decisions.open[rows]
    counts = np.bincount(run.decisions.category[rows][decided], minlength=category_count())
    crossvalidated, methods = _judged(run, precision)
    return Figures(
        run.labelled,
        dict(decided_by.most_common()),
        {category: int(counts[category.id]) for category in all_categories()},
        tuple(_labeller(run, name, decided_by) for name in run.votes),
        methods,
        crossvalidated,
        llm,
        run,
    )


def llm_figures(run: LabellingRun, usage: object = None, money: float | None = None) -> LlmFigures:
    """Count what the LLM was spared.

    Args:
        run: a run with an LLM.
        usage: the labeller's :class:`~training.labelling.llm.voter.Usage`, if it keeps one.
        money: what that costs at the configured prices.
    """
    name = run.llm_name or "LLM"
    texts = [item.normalized for item in run.items]
    asked = {text for text, was in zip(texts, run.asked, strict=True) if was}
    sent = sum(text in asked for text in texts[: run.labelled])
    known = {text for text, was in zip(texts, run.known, strict=True) if was != UNKNOWN}
    open_ones = asked - known
    deciding = sum(text in open_ones for text in texts[: run.labelled])
    counted = {
        field: getattr(usage, field)
        for field in ("calls", "cached", "malformed", "failed", "tokens")
        if usage is not None
    }
    return LlmFigures(
        name,
        len(asked),
        len(known),
        run.labelled - sent,
        sent / max(run.labelled, 1),
        deciding / max(run.labelled, 1),
        run.seconds.get(name, 0.0),
        money=money,
        **counted,
    )


def _labeller(run: LabellingRun, name: str, decided_by: Mapping[str, int]) -> LabellerFigures:
    vote = run.votes[name]
    asked = run.asked if name == run.llm_name else np.ones(len(run.items), dtype=np.bool_)
    others = [other for key, other in run.votes.items() if key != name]
    overlap, conflict = _beside(vote, others)
    known = np.flatnonzero((run.known != UNKNOWN) & asked)
    voted = known[~vote.abstained[known]]
    calibration = _calibration(run, name)
    total = max(int(asked.sum()), 1)
    distinct = len({i.normalized for i, was in zip(run.items, asked, strict=True) if was})
    right = vote.choices[voted] == run.known[voted]
    return LabellerFigures(
        name,
        float((~vote.abstained & asked).sum() / total),
        float(overlap.sum() / total),
        float(conflict.sum() / total),
        decided_by.get(name, 0),
        share(int(right.sum()), len(voted)) if len(voted) else None,
        _f1(run.known[known], vote.choices[known]) if len(known) else None,
        len(voted),
        _threshold(calibration.speaks) if calibration else None,
        _threshold(calibration.decides) if calibration else None,
        distinct / max(run.seconds.get(name, 0.0), 1e-9),
        _mistakes(run, vote, voted[~right]),
    )


def _beside(vote: Votes, others: Sequence[Votes]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where another labeller votes too, and where one says something else, bool [texts]."""
    overlap = np.zeros(len(vote), dtype=np.bool_)
    conflict = np.zeros(len(vote), dtype=np.bool_)
    for other in others:
        both = ~vote.abstained & ~other.abstained
        overlap |= both
        conflict |= both & (vote.choices != other.choices)
    return overlap, conflict


def _calibration(run: LabellingRun, name: str) -> Calibration | None:
    combination = run.cascade.cheap
    if name == run.llm_name and run.cascade.expensive is not None:
        combination = run.cascade.expensive
    if not combination.scores:  # nothing was measured
        return None
    return dict(zip(combination.names, combination.calibrations, strict=True)).get(name)


def _threshold(value: float) -> float | None:
    return None if value >= NEVER else value


def _mistakes(
    run: LabellingRun, vote: Votes, wrong: NDArray[np.int64]
) -> tuple[LabellerMistake, ...]:
    """Return the most confident wrong votes: the ones that cost, because nobody looks again."""
    worst = wrong[np.argsort(-vote.confidence[wrong], kind="stable")][:_MISTAKES_SHOWN]
    return tuple(
        LabellerMistake(
            run.items[row].text,
            all_categories()[run.known[row]],
            all_categories()[vote.choices[row]],
            float(vote.confidence[row]),
            vote.reasons[row],
        )
        for row in map(int, worst)
    )


def _judged(
    run: LabellingRun, precision: float
) -> tuple[CrossValidated | None, tuple[Method, ...]]:
    rows = np.flatnonzero(run.known != UNKNOWN)
    if not len(rows):
        return None, ()
    known = run.known[rows]
    cheap = {name: vote.take(rows) for name, vote in run.cheap_votes.items()}
    llm = {}
    if run.llm_name is not None:
        llm = {run.llm_name: run.votes[run.llm_name].take(rows)}
    validated = cross_validate(cheap, llm, known, precision)
    chosen = validated.decisions.category
    cascade = _measured(
        "the cascade",
        known,
        chosen,
        f"LLM asked for {validated.llm_share:.0%}; decided without people: "
        f"{1 - validated.decisions.open.mean():.0%}, {validated.precision:.1%} of it right",
    )
    alone = [_alone(name, vote, known) for name, vote in {**cheap, **llm}.items()]
    return validated, (cascade, *_combined(run, {**cheap, **llm}, known), *alone)


def _combined(run: LabellingRun, votes: Mapping[str, Votes], known: Known) -> list[Method]:
    """Judge every aggregator on all labellers, the LLM asked about everything."""
    combination = run.cascade.expensive or run.cascade.cheap
    heard = combination.heard(list(votes.values()))
    shares = run.cascade.prior.shares
    found = []
    for name, fit in AGGREGATORS.items():
        chosen = held_out_posterior(fit, heard, known, shares).argmax(axis=1)
        title = {"majority": "majority vote", "label-model": "label model"}.get(name, name)
        note = "all labellers on every review"
        found.append(_measured(title, known, chosen, note))
    return found


def _alone(name: str, vote: Votes, known: Known) -> Method:
    silent = float(vote.abstained.mean())
    return _measured(f"{name} alone", known, vote.choices, f"silent on {silent:.0%}")


def _measured(name: str, known: Known, chosen: NDArray[np.int64], note: str) -> Method:
    right = int((chosen == known).sum())
    return Method(name, share(right, len(known)), _f1(known, chosen), note)


def share(part: int, of: int) -> Interval:
    """Return a share with its 95% interval (Wilson)."""
    return Interval(part / of if of else float("nan"), *wilson(part, of))


def _f1(known: Known, chosen: NDArray[np.int64]) -> Interval:
    return bootstrap(weighted_f1, known, chosen, resamples=_RESAMPLES)
