"""What the saved cascade makes of relabel tasks; no Kafka here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from schemas import Category, DecidedBy, RelabelTask, all_categories
from stream.settings import Settings
from stream.text import normalize
from training.errors import DataError
from training.labelling.cascade import PEOPLE
from training.labelling.panel import cheap_panel, open_llm
from training.labelling.run import Panel
from training.labelling.saved import Ensemble, load_ensemble

# Canaries and audits measure people and models: an ensemble that answers them measures nothing.
_FOR_THE_ENSEMBLE = "low-confidence"


@dataclass(frozen=True, slots=True)
class Decision:
    """A category that the cascade gives.

    Attributes:
        category: the category.
        confidence: its probability, 0 to 1.
        decided_by: "llm" where the LLM had to be asked, else "ensemble".
        labeller: who of the ensemble settled it: a labeller, "agreement" or an aggregator.
        ensemble: version of the ensemble.
    """

    category: Category
    confidence: float
    decided_by: DecidedBy
    labeller: str
    ensemble: str


def _may_decide(task: RelabelTask) -> bool:
    """Tell whether the ensemble may: what no model can know, and what is held, is left to people."""
    return task.reason == _FOR_THE_ENSEMBLE and task.strange is None and not task.held


class Decider:
    """Decides by a fitted cascade and the labellers that it was fitted on.

    Args:
        ensemble: as `reviews label --save-ensemble` saved it.
        panel: labellers at hand; those that the cascade does not know are not asked.

    Raises:
        DataError: a labeller that the cascade was fitted on is not at hand.
    """

    def __init__(self, ensemble: Ensemble, panel: Panel) -> None:
        self.ensemble = ensemble
        cascade = ensemble.cascade
        at_hand = {labeller.name: labeller for labeller in panel.cheap}
        if absent := [name for name in cascade.cheap.names if name not in at_hand]:
            raise DataError(
                f"the ensemble was fitted with {', '.join(absent)}, not at hand now",
                "fit it again here with `reviews label INPUT --validated FILE --save-ensemble`",
            )
        self._cheap = [at_hand[name] for name in cascade.cheap.names]
        self._cascade = cascade
        fitted = cascade.expensive is not None and panel.llm is not None
        # Thresholds of one LLM say nothing about another: an unknown one is not asked.
        known = fitted and cascade.expensive is not None and cascade.expensive.names[-1]
        self._llm = panel.llm if panel.llm is not None and panel.llm.name == known else None

    def decide(self, tasks: Sequence[RelabelTask]) -> list[Decision | None]:
        """Return a decision for each task; None leaves it to people."""
        rows = [i for i, task in enumerate(tasks) if _may_decide(task)]
        decided: list[Decision | None] = [None] * len(tasks)
        if not rows:
            return decided
        texts = [normalize(tasks[row].review.text) for row in rows]
        votes = [labeller.label(texts) for labeller in self._cheap]
        result = self._cascade.decide(votes)
        still = np.flatnonzero(result.open)
        if self._llm is not None and len(still):
            answers = self._llm.label([texts[int(i)] for i in still])
            answered = np.flatnonzero(~answers.abstained)
            both = [*(vote.take(still[answered]) for vote in votes), answers.take(answered)]
            result = self._cascade.settle(result, still[answered], both)
        for i, row in enumerate(rows):
            by = result.decided_by[i]
            if by != PEOPLE:
                asked = self._llm is not None and by == self._llm.name
                decided[row] = Decision(
                    all_categories()[result.category[i]],
                    min(float(result.confidence[i]), 1.0),
                    "llm" if asked else "ensemble",
                    by,
                    self.ensemble.version,
                )
        return decided


@contextmanager
def open_decider(settings: Settings) -> Iterator[Decider]:
    """Yield the decider that the settings describe.

    Raises:
        DataError: there is no fitted ensemble, or it does not fit the labellers at hand.
        LabellerUnavailable: the local LLM is not at hand.
    """
    ensemble = load_ensemble(settings.label.ensemble)
    panel = cheap_panel(settings.label, settings.model.folder)
    with open_llm(settings.label) as llm:
        yield Decider(ensemble, Panel(panel.cheap, llm, panel.notes))
