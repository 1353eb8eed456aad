"""Python's cyclic garbage collector, set for a process with many objects and hardly a cycle.

Tens of thousands of events, reviews and messages are on their way through a worker at a time. None
of them is part of a cycle, and reference counts free them all; yet with Python's own settings the
collector walked through them again and again, for over a third of the CPU time beside the model.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# How many more objects are made than freed between two collections, and how many of those go before
# an older generation's. Beside the events on their way, 200 thousand are a second's worth at full
# speed; garbage that only the collector finds may take some 20 MB until then.
YOUNG_OBJECTS: Final = 200_000
OLDER_GENERATIONS: Final = (10, 10)


@contextmanager
def tuned_gc() -> Iterator[None]:
    """Let the collector run seldom, and leave out what exists already: libraries and model.

    It concerns the whole process, so that it is for the one who owns it: a command, not a library.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *OLDER_GENERATIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
