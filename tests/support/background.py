"""Serving in a thread of its own, so that a test may ask without a loop: property-based testers do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from tests.support.pipeline import WAIT_SECONDS

T = TypeVar("T")


@contextmanager
def in_background(served: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep what a context manager serves running in another thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="served", daemon=True)
    thread.start()

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(2 * WAIT_SECONDS)

    try:
        value = run(served.__aenter__())
        try:
            yield value
        finally:
            run(served.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_SECONDS)
        loop.close()
