"""The life of a record, from the work's first moment to how it ended; the first failure is the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

from stream.credentials import hide_accounts

Status = Literal["FINISHED", "FAILED", "KILLED"]
Tags = Mapping[str, str]

_LONGEST_REASON: Final = 200
# What HTTP clients say of a server that is down, in the middle of a long sentence.
_SILENT: Final = "Max retries exceeded"

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run before it begins.

    Attributes:
        name: for people.
        options: how it is done.
        tags: what it is done with: family, seed, digests, versions.
        key: what it is kept under once; empty: each is a record of its own.
        parent: id of the run that it is a part of; empty: of none.
        seconds: how long ago it began.
    """

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    parent: str = ""
    seconds: float = 0.0


class Store(Protocol):
    """Keeps records; any call may raise anything."""

    address: str
    """For people; nothing secret is in it."""

    def begin(self, record: RunRecord) -> str:
        """Begin a run, or go on with the one of the same key, and return its id."""
        ...

    def holds(self, key: str) -> bool:
        """Tell whether a finished run is kept under a key."""
        ...

    def add(self, run: str, metrics: Sequence[tuple[str, float, int]], tags: Tags) -> None:
        """Add figures (name, value, step) and tags to a run."""
        ...

    def attach(self, run: str, paths: Sequence[Path]) -> None:
        """Add files to a run."""
        ...

    def end(self, run: str, status: Status) -> None:
        """Say how a run ended."""
        ...


class Tracker:
    """Where records go: nowhere once something failed, or if there is no store.

    Args:
        store: keeps them.
        tell: gets the one line that says that they are kept no longer.
        pages: whether pages that hold texts of reviews are sent too.
    """

    def __init__(
        self, store: Store | None, tell: Callable[[str], None], *, pages: bool = False
    ) -> None:
        self._store, self._tell, self.pages = store, tell, pages

    @contextmanager
    def run(self, record: RunRecord) -> Iterator[TrackedRun]:
        """Keep a record of what is done inside; how that ends is in it.

        Args:
            record: what is known now.
        """
        run = self.ask(lambda store: store.begin(record)) or ""
        status: Status = "FAILED"
        try:
            yield TrackedRun(self, run)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            if run:
                self.ask(lambda store: store.end(run, status))

    def holds(self, key: str) -> bool:
        """Tell whether a finished run is kept under a key."""
        return bool(self.ask(lambda store: store.holds(key)))

    def ask(self, call: Callable[[Store], _Answer]) -> _Answer | None:
        """Return what the store answers; after the first failure, which is told, it is asked no more."""
        if self._store is None:
            return None
        try:
            return call(self._store)
        except Exception as error:  # noqa: BLE001 - whatever it is, the training goes on
            address, self._store = self._store.address, None
            self._tell(f"records are kept no longer, the work goes on ({address}: {_why(error)})")
            return None


class TrackedRun:
    """A record that is being kept.

    Args:
        tracker: passes it on.
        run: its id; empty if it is kept nowhere.
    """

    def __init__(self, tracker: Tracker, run: str) -> None:
        self._tracker, self.run = tracker, run

    def tags(self, tags: Tags) -> None:
        """Add what the work was done with."""
        self._send(lambda store: store.add(self.run, (), tags))

    def losses(self, losses: Sequence[float]) -> None:
        """Add the mean loss of each epoch; the first is epoch 1."""
        steps = [("loss", loss, epoch) for epoch, loss in enumerate(losses, start=1)]
        self._send(lambda store: store.add(self.run, steps, {}))

    def scores(self, scores: Mapping[str, float]) -> None:
        """Add figures that the work ended with."""
        figures = [(name, value, 0) for name, value in scores.items()]
        self._send(lambda store: store.add(self.run, figures, {}))

    def files(self, paths: Sequence[Path]) -> None:
        """Add files that describe the result."""
        self._send(lambda store: store.attach(self.run, paths))

    def _send(self, call: Callable[[Store], None]) -> None:
        if self.run:
            self._tracker.ask(call)


def _why(error: Exception) -> str:
    """Return what went wrong in one line without accounts."""
    if _SILENT in str(error):
        return "it does not answer"
    line = " ".join(hide_accounts(str(error)).split()) or type(error).__name__
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1].rstrip() + "…"
