"""Everything that `stream` raises on purpose.

::

    ReviewsError                    has a message and a remedy; the CLI prints both and exits with
    │                               `exit_code`, never with a traceback
    ├── ConfigError                 a setting is wrong                                    exit 2
    ├── InputError                  a file or stream that the user named cannot be read   exit 2
    │   └── InvalidReview           a review breaks the contract: refused before sending  exit 2
    ├── ModelError                  the model folder is absent, damaged or does not fit   exit 3
    ├── BrokerError                 Kafka cannot be reached, or refused us                exit 4
    │   ├── TopicMissing            a topic is absent                                     exit 4
    │   └── DeliveryError           a review was not acknowledged by the broker           exit 4
    ├── CacheError                  Redis cannot be reached (only where it is needed)     exit 5
    ├── PortTaken                   something else listens on the port                    exit 6
    ├── ExtraMissing                an optional part is not installed                     exit 7
    └── DiskFull                    no space is left where we write                       exit 8
"""

from __future__ import annotations

import errno
from typing import ClassVar, Final

NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where a disk is full, or a quota is used up."""


class ReviewsError(Exception):
    """A mistake or an outage that a person can do something about.

    Args:
        message: what is wrong, one sentence.
        remedy: what to do next, one sentence or a command.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class ConfigError(ReviewsError):
    """A setting is wrong; the message names it."""

    exit_code = 2


class InputError(ReviewsError):
    """A file or stream that the user named cannot be read."""

    exit_code = 2


class InvalidReview(InputError):
    """A review breaks the contract: empty, too large, or not text. It was not sent."""


class ModelError(ReviewsError):
    """The model folder is absent, damaged, or made for another contract."""

    exit_code = 3


class BrokerError(ReviewsError):
    """Kafka cannot be reached, or refused the request."""

    exit_code = 4


class TopicMissing(BrokerError):
    """A topic that is needed does not exist."""


class DeliveryError(BrokerError):
    """The broker did not acknowledge a review. Sending it again is safe: consumers keep the id."""


class CacheError(ReviewsError):
    """Redis cannot be reached, where the work cannot go on without it."""

    exit_code = 5


class PortTaken(ReviewsError):
    """Another process listens on the port."""

    exit_code = 6


class ExtraMissing(ReviewsError):
    """An optional part is not installed; the remedy is the line that installs it."""

    exit_code = 7


class DiskFull(ReviewsError):
    """No space is left where we write. What was complete before stays."""

    exit_code = 8


def not_written(
    what: object, error: OSError, remedy: str, otherwise: type[ReviewsError] = InputError
) -> ReviewsError:
    """Return what to raise where something could not be written: a full disk is one, whoever meets it.

    Args:
        what: could not be written.
        error: why.
        remedy: if it is not for want of space.
        otherwise: the error to raise then.
    """
    if error.errno in NO_SPACE:
        return DiskFull(
            f"{what} cannot be written: no space is left",
            "free some space and run the command again",
        )
    return otherwise(f"{what} cannot be written: {error.strerror}", remedy)
