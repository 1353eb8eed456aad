"""The serving classifier as one more voter.

Off by default: labels for its next training set should not come from itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stream.model.classifier import Classifier
from training.labelling.votes import Votes


class ClassifierLabeller:
    """Votes with a model folder's calibrated probabilities."""

    name = "classifier"

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    @classmethod
    def load(cls, folder: Path) -> ClassifierLabeller:
        """Load a model folder.

        Raises:
            ModelError: the folder is absent or damaged.
        """
        return cls(Classifier.load(folder, device="cpu"))

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts."""
        predictions = self._classifier.classify(list(texts))
        reason = f"model {self._classifier.version}"
        return Votes(predictions.probabilities, (reason,) * len(texts))
