"""A labeller on several cores: chunks of texts go to processes that were given the labellers.

Threads would not help: rules and look-ups are Python, and hold its lock.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final

from threadpoolctl import threadpool_limits

from stream.containers import available_cores
from training.labelling.votes import Labeller, Votes

# Below, starting processes costs more than they save.
WORTH_PROCESSES: Final = 2000

_ours: dict[str, Labeller] = {}
"""The labellers of a process in the pool."""


class SpreadLabeller:
    """A labeller whose chunks are labelled side by side."""

    def __init__(self, labeller: Labeller, pool: ProcessPoolExecutor) -> None:
        self._labeller = labeller
        self._pool = pool

    @property
    def name(self) -> str:
        """The labeller's own name."""
        return self._labeller.name

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts, in this process."""
        return self._labeller.label(texts)

    def label_chunks(self, chunks: Sequence[Sequence[str]]) -> Iterator[Votes]:
        """Yield votes on chunks of normalised texts, in order."""
        return self._pool.map(_label, [self.name] * len(chunks), chunks)


@contextmanager
def spread(labellers: Sequence[Labeller], processes: int) -> Iterator[list[Labeller]]:
    """Put labellers on several processes while the context lasts.

    All of them live in the same processes, so that what one learns of a word helps the other.

    Args:
        labellers: what they share must survive a fork, and pickling where there is none.
        processes: how many; 0 for one a core. One: nothing is spread.
    """
    wanted = processes or available_cores()
    if wanted == 1 or not labellers:
        yield list(labellers)
        return
    # Forked where that is sound: the labellers are loaded already, and nothing is loaded twice.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    table = {labeller.name: labeller for labeller in labellers}
    pool = ProcessPoolExecutor(wanted, context, _take, (table,))
    try:
        yield [SpreadLabeller(labeller, pool) for labeller in labellers]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _take(labellers: dict[str, Labeller]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    threadpool_limits(1)  # one process a core already: threads of BLAS would fight over them
    _ours.update(labellers)


def _label(name: str, texts: Sequence[str]) -> Votes:
    return _ours[name].label(texts)
