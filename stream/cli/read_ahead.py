"""Reading what may say nothing for hours, while everything else goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_MOST: Final = 2_000


class ReadAhead(Generic[T]):
    """What a blocking iterable holds, read in a thread: in lists of what is there at the moment.

    The thread is a daemon: one that waits for input keeps no process from ending.

    Args:
        items: read once; its errors are raised to who asks for the next list.
        most: so many are held at most before reading pauses.
    """

    def __init__(self, items: Iterable[T], most: int = _MOST) -> None:
        self._items = items
        self._most = most
        self._held: list[T] = []
        self._error: Exception | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._there = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def __aiter__(self) -> AsyncIterator[list[T]]:
        """Yield lists until the items end or :meth:`close` is called."""
        threading.Thread(target=self._read, name="reading ahead", daemon=True).start()
        while True:
            await self._there.wait()
            self._there.clear()
            with self._changed:
                held, self._held = self._held, []
                ended, error = self._ended, self._error
                self._changed.notify_all()
            if held:
                yield held
            if error is not None:
                raise error
            if ended:
                return

    def close(self) -> None:
        """End it: what is held and not yet handed on is dropped. To be called in the event loop."""
        with self._changed:
            self._ended, self._held = True, []
            self._changed.notify_all()
        self._there.set()

    def _read(self) -> None:
        error = None
        try:
            for item in self._items:
                if not self._hold(item):
                    return
        except Exception as caught:  # noqa: BLE001 - raised again where the items are wanted
            error = caught
        with self._changed:
            self._ended, self._error = True, error
        self._wake()

    def _hold(self, item: T) -> bool:
        """Hold one more; return whether more are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._held) < self._most)
            if self._ended:
                return False
            self._held.append(item)
            is_first = len(self._held) == 1
        if is_first:
            self._wake()
        return True

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody asks any more
            self._loop.call_soon_threadsafe(self._there.set)
