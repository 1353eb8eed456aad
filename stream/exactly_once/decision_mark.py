"""A decision about a transaction, kept by the coordinator while the transaction is ended once more.

Who takes a transactional id over may have to write the end of its last transaction again, as it was
decided. To initialise the id is the first step, and makes the coordinator forget the decision; whoever dies,
or is overtaken, after it would leave a guess to the next one. What the coordinator does keep, in the
same record of its log, is the time-out that the id was initialised with, and it tells it to whoever
may describe the id (KIP-664). So the decision is said by a time-out that no other producer has.
"""

from __future__ import annotations

from typing import Final

from stream.kafka.transaction_state import LastTransaction

# Long enough that the broker aborts nothing meanwhile, and less than any broker refuses as too long.
_ABORT_MS: Final = 60_001
_COMMIT_MS: Final = 60_002
_MARKS: Final = {_ABORT_MS: False, _COMMIT_MS: True}


def mark_of(*, commit: bool) -> int:
    """Return the time-out, in milliseconds, that says what was decided."""
    return _COMMIT_MS if commit else _ABORT_MS


def unmarked(timeout_ms: int) -> int:
    """Return a time-out that says nothing: the same, or one a few milliseconds longer."""
    return timeout_ms + len(_MARKS) if timeout_ms in _MARKS else timeout_ms


def decided(last: LastTransaction) -> bool | None:
    """Return whether a transaction was committed, whoever has begun to end it once more since.

    None: there was none since the id was initialised.
    """
    return _MARKS.get(last.timeout_ms, last.is_committed)


def is_being_ended(last: LastTransaction) -> bool:
    """Return whether what is open is nobody's work, but the end of the transaction before."""
    return last.is_open and last.timeout_ms in _MARKS
