"""One labelling run: every cheap labeller on all reviews, the LLM on the rest, and what it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas import Category
from training.data.files import LabelledItem, UnlabelledReview
from training.labelling.aggregation import Known
from training.labelling.cascade import (
    PEOPLE,
    Cascade,
    CascadeDecisions,
    add_llm,
    assume_cascade,
    fit_cascade,
)
from training.labelling.label_model import UNKNOWN
from training.labelling.parallel import WORTH_PROCESSES, SpreadLabeller, spread
from training.labelling.prior import Fate
from training.labelling.votes import NOT_ASKED, Labeller, Votes

# Small enough that two cores stay busy to the end.
_CHUNK: Final = 256
# Smaller for the LLM: its progress should move, and an interruption loses no more than this.
_LLM_CHUNK: Final = 64
INTERRUPTED: Final = "interrupted before it was asked"
_UNASKED: Final = frozenset({INTERRUPTED, NOT_ASKED})
# The fit learns from the validated reviews and a part of the others; more of these adds nothing.
_FIT_ROWS: Final = 5000

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a progress bar (what, how many) and yields the function that advances it."""


@contextmanager
def silent(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _done: None


class Llm(Labeller, Protocol):
    """A labeller that costs, and that can repeat what it answered before for nothing."""

    def known(self, texts: Sequence[str]) -> Votes:
        """Return votes from its records alone; `NOT_ASKED` where there is none of a review."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The labellers of a run.

    Attributes:
        cheap: asked about every review, the most believable first.
        llm: asked about what the cheap ones leave open; None for none.
        notes: one line for each labeller that is not installed.
    """

    cheap: tuple[Labeller, ...]
    llm: Llm | None = None
    notes: tuple[str, ...] = ()
    spreadable: frozenset[str] = frozenset()
    """Names of cheap labellers that may be copied to other processes."""


@dataclass(frozen=True, slots=True)
class LabellingRun:
    """Everything that a run found out.

    Attributes:
        items: the reviews, then validated ones that were not among them.
        labelled: how many of the items were to be labelled: the first so many.
        known: categories of validated reviews, -1 elsewhere, int64 [items].
        votes: by labeller, on all items; the LLM abstains where it was not asked.
        cascade: as fitted.
        decisions: about all items.
        asked: whom the LLM was asked about, bool [items].
        seconds: time by labeller.
        interrupted: the run was stopped before the LLM was through.
    """

    items: tuple[UnlabelledReview, ...]
    labelled: int
    known: Known
    votes: Mapping[str, Votes]
    cascade: Cascade
    decisions: CascadeDecisions
    asked: NDArray[np.bool_]
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    llm_name: str | None = field(default=None)

    @property
    def asked_of_all(self) -> int:
        """How many of the reviews every labeller was asked about; all, unless it was interrupted."""
        return int((~_unasked(self.votes)[: self.labelled]).sum()) if self.votes else 0

    @property
    def cheap_votes(self) -> dict[str, Votes]:
        """Votes of the cheap labellers."""
        return {name: vote for name, vote in self.votes.items() if name != self.llm_name}


def run_labelling(
    items: Sequence[UnlabelledReview],
    validated: Sequence[LabelledItem],
    panel: Panel,
    precision: float = 0.95,
    fates: Mapping[Category, Fate] | None = None,
    progress: Progress = silent,
    processes: int = 1,
) -> LabellingRun:
    """Label reviews.

    Ctrl-C ends the asking: what was answered so far is used, and who was not asked abstains.

    Args:
        items: the reviews to label.
        validated: a random sample with known categories; empty if there is none, then nothing is
            calibrated and nothing can be measured.
        panel: the labellers.
        precision: wanted of all that is decided without people.
        fates: categories that the caller keeps, drops or leaves to people.
        progress: shows how far it is.
        processes: for the labellers that can be spread; 0 for one a core.
    """
    everything, known = _joined(items, validated)
    texts = [item.normalized for item in everything]
    # Validated reviews come first, so that whatever an interruption leaves can be calibrated.
    asking = _Asking([texts[int(row)] for row in np.argsort(known == UNKNOWN, kind="stable")])
    spreadable = [labeller for labeller in panel.cheap if labeller.name in panel.spreadable]
    with spread(spreadable, processes if len(texts) >= WORTH_PROCESSES else 1) as fast:
        by_name: dict[str, Labeller] = {labeller.name: labeller for labeller in fast}
        votes = {
            labeller.name: asking.ask(by_name.get(labeller.name, labeller), progress).of(texts)
            for labeller in panel.cheap
        }
    if (known == UNKNOWN).all():
        cascade = assume_cascade(votes, fates)
    else:
        rows = _fit_rows(known)
        sample = {name: vote.take(rows) for name, vote in votes.items()}
        cascade = fit_cascade(sample, {}, known[rows], precision, fates)
    run = LabellingRun(
        tuple(everything),
        len(items),
        known,
        votes,
        cascade,
        _left_open(cascade.decide(list(votes.values())), votes),
        np.zeros(len(texts), dtype=np.bool_),
        asking.seconds,
        panel.notes,
        asking.interrupted,
    )
    return run if panel.llm is None else _ask_llm(run, panel.llm, texts, precision, progress)


def _ask_llm(
    run: LabellingRun, llm: Llm, texts: Sequence[str], precision: float, progress: Progress
) -> LabellingRun:
    """Ask about the validated reviews, to learn what the LLM is worth, and about the open ones."""
    asked = run.decisions.open | (run.known != UNKNOWN)
    rows = np.flatnonzero(asked)
    wanted = [texts[int(row)] for row in rows]
    asking = _Asking(wanted, run.interrupted)
    answered = asking.ask(llm, progress, _LLM_CHUNK)
    answers = llm.known(wanted) if asking.interrupted else answered.of(wanted)
    cheap = {name: vote.take(rows) for name, vote in run.votes.items()}
    cascade = run.cascade
    if not (run.known == UNKNOWN).all():
        cascade = add_llm(cascade, cheap, {llm.name: answers}, run.known[rows], precision)
    else:
        cascade = assume_cascade(cheap, None, {llm.name: answers}, cascade.prior)
    still = np.flatnonzero(run.decisions.open[rows] & ~_unasked({llm.name: answers, **cheap}))
    both = [vote.take(still) for vote in (*cheap.values(), answers)]
    return replace(
        run,
        votes={**run.votes, llm.name: _spread_rows(answers, rows, len(texts))},
        cascade=cascade,
        decisions=cascade.settle(run.decisions, rows[still], both),
        asked=asked,
        seconds={**run.seconds, **asking.seconds},
        interrupted=asking.interrupted,
        llm_name=llm.name,
    )


def _unasked(votes: Mapping[str, Votes]) -> NDArray[np.bool_]:
    """Return where an interruption kept a labeller from being asked, bool [texts]."""
    reasons = [[reason in _UNASKED for reason in vote.reasons] for vote in votes.values()]
    return np.asarray(np.any(np.array(reasons, dtype=np.bool_), axis=0))


def _left_open(decisions: CascadeDecisions, votes: Mapping[str, Votes]) -> CascadeDecisions:
    """Return the decisions without those about reviews that not everybody was asked about.

    A labeller's silence tells the label model something; that of one who was not asked does not.
    """
    unasked = _unasked(votes)
    decided_by = zip(decisions.decided_by, unasked, strict=True)
    return replace(decisions, decided_by=tuple(PEOPLE if no else by for by, no in decided_by))


@dataclass(frozen=True, slots=True)
class _Answers:
    """Votes on distinct texts."""

    votes: Votes
    place: Mapping[str, int]

    def of(self, texts: Sequence[str]) -> Votes:
        """Return the votes on these texts, repeated as the texts are."""
        return self.votes.take([self.place[text] for text in texts])


class _Asking:
    """Asks labellers about the same texts, each text once, until interrupted."""

    def __init__(self, texts: Sequence[str], interrupted: bool = False) -> None:
        self._distinct = list(dict.fromkeys(texts))
        self._place = {text: i for i, text in enumerate(self._distinct)}
        self.interrupted = interrupted
        self.seconds: dict[str, float] = {}

    def ask(self, labeller: Labeller, progress: Progress, chunk: int = _CHUNK) -> _Answers:
        """Return a labeller's votes; it abstains where it was not asked."""
        started = time.perf_counter()
        parts: list[Votes] = []
        starts = range(0, len(self._distinct), chunk)
        chunks = [self._distinct[start : start + chunk] for start in starts]
        try:
            if not self.interrupted:
                with progress(labeller.name, len(self._distinct)) as advance:
                    for part in _label_chunks(labeller, chunks):
                        parts.append(part)
                        advance(len(part))
        except KeyboardInterrupt:
            self.interrupted = True
        left = len(self._distinct) - sum(map(len, parts))
        if left:
            parts.append(Votes.abstention(left, INTERRUPTED))
        self.seconds[labeller.name] = time.perf_counter() - started
        return _Answers(_concatenated(parts), self._place)


def _label_chunks(labeller: Labeller, chunks: Sequence[Sequence[str]]) -> Iterator[Votes]:
    if isinstance(labeller, SpreadLabeller):
        return labeller.label_chunks(chunks)
    return map(labeller.label, chunks)


def _concatenated(parts: Sequence[Votes]) -> Votes:
    if not parts:
        return Votes.abstention(0, "")
    reasons = tuple(reason for part in parts for reason in part.reasons)
    return Votes(np.concatenate([part.probabilities for part in parts]), reasons)


def _joined(
    items: Sequence[UnlabelledReview], validated: Sequence[LabelledItem]
) -> tuple[list[UnlabelledReview], Known]:
    """Return the reviews followed by the validated ones among none of them, and what is known."""
    category_of = {row.item.normalized: row.category.id for row in validated}
    texts = {item.normalized for item in items}
    extra = [row.item for row in validated if row.item.normalized not in texts]
    everything = [*items, *extra]
    # Of equal texts the first stands for all: a text counts as often as it was validated, once.
    known = [category_of.pop(item.normalized, UNKNOWN) for item in everything]
    return everything, np.array(known, dtype=np.int64)


def _fit_rows(known: Known) -> Known:
    """Return the rows to fit on: all validated ones, and as many others as help, at random."""
    others = np.flatnonzero(known == UNKNOWN)
    chosen = np.random.default_rng(0).permutation(others)[:_FIT_ROWS]
    return np.sort(np.concatenate([np.flatnonzero(known != UNKNOWN), chosen]))


def _spread_rows(votes: Votes, rows: Known, total: int) -> Votes:
    """Return votes on some rows as votes on all, abstaining on the others."""
    probabilities = np.zeros((total, votes.probabilities.shape[1]), dtype=np.float32)
    probabilities[rows] = votes.probabilities
    reasons = ["not asked"] * total
    for row, reason in zip(rows, votes.reasons, strict=True):
        reasons[row] = reason
    return Votes(probabilities, tuple(reasons))
