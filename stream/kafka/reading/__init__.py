"""Reading records that anybody may have written: bounded in memory, and past what cannot be read.

A broker limits what a batch of records takes compressed, not what it becomes. aiokafka decompresses
a batch whole, and raises again and again where it cannot read one; what it had at hand of other
partitions is lost when it raises. The consumer here is aiokafka's, but for what it makes of the
bytes of a fetch:

- batches are decompressed in bounded pieces, off the event loop;
- a record or a batch above a bound, or one that cannot be read, is given as one record without a
  value that says what it stands for: :func:`unreadable_in`;
- nothing raises, so that one partition's bytes never cost another one its records.
"""

from stream.kafka.reading.bounds import BATCH_BYTES, PIECE_BYTES, Bounds
from stream.kafka.reading.consumer import (
    BoundedConsumer,
    as_contract_error,
    read_bounded,
    unreadable_in,
)
from stream.kafka.reading.timestamps import moment_of
from stream.kafka.reading.unreadable import HEAD_BYTES, Unreadable

__all__ = [
    "BATCH_BYTES",
    "HEAD_BYTES",
    "PIECE_BYTES",
    "BoundedConsumer",
    "Bounds",
    "Unreadable",
    "as_contract_error",
    "moment_of",
    "read_bounded",
    "unreadable_in",
]
