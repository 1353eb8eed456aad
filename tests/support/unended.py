"""A transaction whose end is being written once more, by somebody who gets no further."""

from __future__ import annotations

from stream.exactly_once.decision_mark import mark_of
from stream.exactly_once.group_producer import GroupProducer
from stream.exactly_once.options import TransactionOptions


async def being_ended(
    options: TransactionOptions, transactional_id: str, *, commit: bool
) -> GroupProducer:
    """Return a producer of the id; what it writes and does not end is what was decided about before.

    Args:
        options: of the producer.
        transactional_id: of it.
        commit: what was decided.
    """
    producer = GroupProducer(options, transactional_id)
    await producer.connect()
    await producer._initialise(mark_of(commit=commit))
    return producer
