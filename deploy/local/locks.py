"""One process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock on a file, made when absent; wait for whoever holds it.

    The kernel lets go of it when its holder ends, however that ends.

    Raises:
        OSError: the file cannot be opened for writing.
    """
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
