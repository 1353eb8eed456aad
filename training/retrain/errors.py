"""What retraining raises on purpose.

::

    TrainingError
    └── NothingToLearn              no label has come that could make a better model      exit 1
"""

from __future__ import annotations

from training.errors import TrainingError


class NothingToLearn(TrainingError):
    """No label has come that could make a better model."""
