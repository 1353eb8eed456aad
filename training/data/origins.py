"""Whose label is it? What each kind of label may be used for, and how it is described.

::

    Origin.PERSON.by_person         # True: a person decided
    Origin.POOL.may_measure         # False: a score on guesses tells what the guesser is like
    Origin.WRITTEN.of_the_stream    # False: no shopper wrote the text

An origin stands beside every row, from the file through the dataset to the model card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple


class Facts(NamedTuple):
    """What is true of all labels of one origin; see the properties of :class:`Origin`."""

    by_person: bool
    may_measure: bool
    of_the_stream: bool
    description: str


class Origin(StrEnum):
    """Who or what decided a label. Every row may be trained on; its properties say what else."""

    PERSON = "person"
    VALIDATED = "validated"
    READ = "read"
    WRITTEN = "written"
    ENSEMBLE = "ensemble"
    POOL = "pool"
    UNSURE = "unsure"
    LLM = "llm"
    MODEL = "model"
    DISTILLED = "distilled"
    SYNTHETIC = "synthetic"

    @property
    def by_person(self) -> bool:
        """Whether a person decided."""
        return FACTS[self].by_person

    @property
    def may_measure(self) -> bool:
        """Whether scores, temperature, thresholds and the gate may stand on such labels.

        They may where the label was found by reading the text, or the text was written for the label.
        What a program guessed tells how far a model agrees with the program, and nothing more.
        """
        return FACTS[self].may_measure

    @property
    def of_the_stream(self) -> bool:
        """Whether the text is a customer's: others say nothing about how often what occurs."""
        return FACTS[self].of_the_stream

    @property
    def description(self) -> str:
        """What is said of such rows, after "rows"."""
        return FACTS[self].description


FACTS: Final[dict[Origin, Facts]] = {
    Origin.PERSON: Facts(True, True, True, "were decided by people"),
    Origin.VALIDATED: Facts(
        False, True, True, "are a sample that was read with care, by a language model unless said"
    ),
    Origin.READ: Facts(False, True, True, "were labelled one by one by a language model"),
    Origin.WRITTEN: Facts(
        False, True, False, "were written for this project by a language model, with their category"
    ),
    Origin.ENSEMBLE: Facts(False, False, True, "were decided by the auto-labelling ensemble"),
    Origin.POOL: Facts(False, False, True, "have soft labels of the auto-labelling ensemble"),
    Origin.UNSURE: Facts(False, False, True, "have soft labels of an ensemble that did not agree"),
    Origin.LLM: Facts(False, False, True, "were decided by a language model in the stream"),
    Origin.MODEL: Facts(False, False, True, "were decided by an earlier model"),
    Origin.DISTILLED: Facts(False, False, False, "were labelled by the model's teachers"),
    Origin.SYNTHETIC: Facts(False, False, False, "are composed from templates or by an LLM"),
}
ORIGINS: Final[dict[str, Origin]] = {origin.value: origin for origin in Origin}
"""By name, as files have them."""


def counted(origins: Iterable[Origin]) -> str:
    """Say how many labels are whose, the most first.

    >>> counted([Origin.PERSON, Origin.POOL, Origin.PERSON])
    '2 person, 1 pool'
    """
    return ", ".join(f"{count} {origin}" for origin, count in Counter(origins).most_common())
