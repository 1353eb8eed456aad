"""What can go wrong at the desk. Each has a ``code`` by which the pages find words for it.

::

    QueueError (ReviewsError)
    ├── Rebuilding          the working set is being read anew from Kafka; come back in a moment
    ├── Taken               somebody else has this item now
    ├── AlreadyDecided      somebody or something decided it meanwhile
    ├── TextChanged         the shopper edited the review while it was on the screen
    ├── OwnOpinion          a second opinion must be another person's
    ├── OwnDispute          whoever disagrees cannot settle it
    ├── Disputed            two people disagree about it: that is to be settled first
    ├── NotDecided          no decision on it holds: there is nothing to correct
    ├── NotKept             it was decided too long ago to be corrected here
    ├── TooManyAtOnce       more reviews were ticked than are decided in one go
    ├── Superseded          its decision is another one by now
    ├── NothingToUndo       nothing of yours that is still yours to take back
    ├── NotSaved            Kafka did not take the decision: nothing was published
    ├── NotAllowed          this needs a lead
    ├── SignInRefused       wrong name or password
    ├── LinkRefused         a one-time link that was used already, or is none
    └── AccountError        an account cannot be made or changed as asked           exit 2
        └── AccountsUnavailable the file of accounts cannot be read, or not written     exit 2
"""

from __future__ import annotations

from typing import ClassVar

from stream.errors import ReviewsError


class QueueError(ReviewsError):
    """What a person at the queue can be told. Catch this at the page's edge."""

    code: ClassVar[str] = "queue"
    status: ClassVar[int] = 409
    """The HTTP status that says it."""


class Rebuilding(QueueError):
    """The working set is being restored from Kafka."""

    code = "rebuilding"
    status = 503


class Taken(QueueError):
    """Another person holds the lease."""

    code = "taken"


class AlreadyDecided(QueueError):
    """The item is not waiting any more."""

    code = "decided"


class TextChanged(QueueError):
    """The decision answers a text that is not the review's any more."""

    code = "changed"


class OwnOpinion(QueueError):
    """The first opinion is the same person's."""

    code = "own"


class OwnDispute(QueueError):
    """A disagreement is settled by somebody who had no part in it."""

    code = "own-dispute"
    status = 403


class Disputed(QueueError):
    """Two people disagree about this review, and nobody has settled that yet."""

    code = "disputed"


class NotDecided(QueueError):
    """No decision on this text holds."""

    code = "not-decided"


class NotKept(QueueError):
    """What was decided is not in the working set any more."""

    code = "not-kept"


class TooManyAtOnce(QueueError):
    """More reviews than one transaction is to hold."""

    code = "too-many-at-once"
    status = 400


class Superseded(QueueError):
    """The decision that was to be corrected does not hold any more."""

    code = "superseded"


class NothingToUndo(QueueError):
    """There is no decision of this person that still stands as they made it."""

    code = "nothing-to-undo"


class NotSaved(QueueError):
    """Kafka did not take the decision, or the queue ended before it said so. Trying again is safe."""

    code = "not-saved"
    status = 503


class NotAllowed(QueueError):
    """The account lacks the right."""

    code = "not-allowed"
    status = 403


class SignInRefused(QueueError):
    """The name and the password do not belong together."""

    code = "sign-in"
    status = 401


class LinkRefused(QueueError):
    """The one-time link was used, or is none of ours."""

    code = "link"
    status = 401


class AccountError(QueueError):
    """An account cannot be made or changed as asked."""

    code = "account"
    exit_code = 2
    status = 400


class AccountsUnavailable(AccountError):
    """The file of accounts cannot be read, or not be written: nobody can be let in or signed out."""

    code = "accounts"
    status = 503
