"""One relabel task on its way through the relabeller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas import ContractError, RelabelTask, decode
from stream.exactly_once.input_record import InputRecord, Owner, held_bytes
from stream.kafka.reading import unreadable_in
from stream.worker.dead_letters import Rejection


@dataclass(slots=True, eq=False)
class RelabelRecord(InputRecord):
    """A record of the relabel topic, decoded or rejected.

    Neither: a tombstone. The review was erased, there is nothing to decide.
    """

    task: RelabelTask | None = None
    rejection: Rejection | None = None


def decode_task(owner: Owner, record: Any) -> RelabelRecord:
    """Decode a record. A bad one becomes a rejection, never an exception.

    Args:
        owner: the partition processor that took it in.
        record: as the broker gave it.
    """
    found = RelabelRecord(owner, owner.epoch, record, held=held_bytes(record))
    if (unreadable := unreadable_in(record)) is not None:
        found.rejection = Rejection(unreadable.code, unreadable.message)
    elif record.value is not None:
        try:
            found.task = decode(RelabelTask, record.value)
        except ContractError as error:
            found.rejection = Rejection(error.code, str(error))
    return found
