"""Everything that `training` raises on purpose.

::

    TrainingError(ReviewsError)     has a message and a remedy; the CLI prints both
    ├── DataError                   a file of reviews, labels or votes cannot be used      exit 2
    └── LabellingError              the auto-labeller cannot go on                        exit 1
        ├── RulesError              the rule file or a dictionary is wrong                exit 2
        ├── LabellerUnavailable     a labeller's weights or endpoint are absent          exit 3
        └── BudgetSpent             the LLM's token budget is used up                     exit 1
"""

from __future__ import annotations

from stream.errors import ReviewsError


class TrainingError(ReviewsError):
    """Something offline cannot go on, and a person can do something about it."""


class DataError(TrainingError):
    """A file of reviews, labels or votes is absent, unreadable or of the wrong shape."""

    exit_code = 2


class LabellingError(TrainingError):
    """The auto-labeller cannot go on."""


class RulesError(LabellingError):
    """The rule file or a category dictionary is wrong; the message names the entry."""

    exit_code = 2


class LabellerUnavailable(LabellingError):
    """A labeller's weights, vectors or endpoint are absent; the others can go on."""

    exit_code = 3


class BudgetSpent(LabellingError):
    """The LLM's budget is used up; what was answered is in its cache."""
