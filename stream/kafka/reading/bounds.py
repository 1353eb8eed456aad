"""How much of what is read may be in memory, and how much is looked at before it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Four times what is fetched of a partition at a time: text compresses to about a quarter.
PIECE_BYTES: Final = 4 * 1024 * 1024
# A broker takes 1 MiB compressed unless set. Reviews shrink to a tenth at most, logs to a thirtieth;
# what is larger than this is no batch of reviews. It costs a core about half a second.
BATCH_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one consumer."""

    piece_bytes: int = PIECE_BYTES
    """Decompressed bytes of a partition that are held at a time; a larger record is told of only."""
    batch_bytes: int = BATCH_BYTES
    """Bytes that a batch may decompress to; of a larger one only the beginning is read."""
    tries: int = 3
    """Fetches of a batch whose checksum or frame is wrong before it is passed over."""
    again_seconds: float = 0.1
    """Between them."""
