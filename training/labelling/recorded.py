"""Recorded answers as a labeller: results that can be reproduced without an LLM.

Answers are found by the text that was asked about, so that the labeller is asked as any other is;
several answers about one text are averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from schemas import Category, category_count
from stream.text import fingerprint, normalize
from training.data.files import UnlabelledReview, read_votes
from training.errors import DataError
from training.labelling.votes import Distribution, Votes

# A vote without a confidence of its own; calibration replaces it by what the voter is worth.
_UNSTATED: Final = 0.9


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded answers of one model: the file, and the model's name in it."""

    votes: Path
    model: str

    @classmethod
    def parse(cls, value: str) -> Recording:
        """Read ``FILE:MODEL``.

        Raises:
            DataError: it is not of this form.

        >>> Recording.parse("votes.jsonl:qwen2-7b-instruct").model
        'qwen2-7b-instruct'
        """
        path, colon, model = value.rpartition(":")
        if not (colon and path and model):
            raise DataError(f"{value!r} is not FILE:MODEL", "e.g. votes.jsonl:qwen2-7b-instruct")
        return cls(Path(path), model)


class RecordedLabeller:
    """Repeats what a model once answered; abstains on texts that it was never asked about."""

    def __init__(self, name: str, answers: Mapping[str, Distribution]) -> None:
        self._name = name
        self._answers = dict(answers)

    @property
    def name(self) -> str:
        """The recorded model's name."""
        return self._name

    @classmethod
    def load(cls, votes: Path, model: str, items: Iterable[UnlabelledReview]) -> RecordedLabeller:
        """Join a file of votes with the reviews that it is about.

        Args:
            votes: JSON lines with ``id``, ``model``, ``category`` and ``confidence``.
            model: whose votes to take.
            items: the reviews; votes about other ids are ignored.

        Raises:
            DataError: the file cannot be read, or holds no vote of this model.
        """
        texts = {item.id: fingerprint(item.normalized) for item in items}
        found: dict[str, list[Distribution]] = {}
        models = set()
        for review_id, voter, category, confidence in read_votes(votes):
            models.add(voter)
            if voter == model and category is not None and review_id in texts:
                row = _distribution(category, confidence)
                found.setdefault(texts[review_id], []).append(row)
        if model not in models:
            raise DataError(
                f"{votes} holds no votes of {model}", f"it has {', '.join(sorted(models))}"
            )
        return cls(model, {key: np.mean(rows, axis=0) for key, rows in found.items()})

    def known(self, texts: Sequence[str]) -> Votes:
        """Repeat the answers: all of them are on record."""
        return self.label(texts)

    def label(self, texts: Sequence[str]) -> Votes:
        """Repeat the answers about these normalised texts."""
        probabilities = np.zeros((len(texts), category_count()), dtype=np.float32)
        reasons = []
        for row, text in enumerate(texts):
            answer = self._answers.get(fingerprint(normalize(text)))
            if answer is not None:
                probabilities[row] = answer
            reasons.append(
                "no usable answer on record" if answer is None else f"{self._name} said so"
            )
        return Votes(probabilities, tuple(reasons))


def _distribution(category: Category, confidence: float | None) -> Distribution:
    """Spread what the voter did not claim evenly over the other categories."""
    claimed = _UNSTATED if confidence is None else min(max(confidence, 1 / category_count()), 0.99)
    row = np.full(category_count(), (1 - claimed) / (category_count() - 1), dtype=np.float32)
    row[category.id] = claimed
    return row
