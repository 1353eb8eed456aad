"""An announced model is loaded beside what serves: signature, location, digests, trial, and only then."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from schemas import ModelAnnouncement
from stream.errors import ModelError
from stream.model.admission import checked_copy
from stream.model.classifier import Classifier
from stream.model.trial import Trial
from stream.settings import Settings

Result = TypeVar("Result")

# Reading, trial, loading: each may take what the setting allows.
_STEPS: Final = 3


class AnnouncedModel:
    """One announced model on its way to be served.

    Args:
        announcement: whose signature was checked.
        settings: registry, limits, and how a worker loads models.
    """

    def __init__(self, announcement: ModelAnnouncement, settings: Settings) -> None:
        self._announcement = announcement
        self._settings = settings
        self._trial: Trial | None = None

    async def load(self) -> Classifier:
        """Return the model, tried and loaded.

        Raises:
            ModelError: it is refused, for whatever reason.
        """
        model = self._settings.model
        return await self._within_limits(
            lambda folder: Classifier.load(
                folder, model.device, model.threads, model.chunk_tokens, checked=True
            )
        )

    async def examine(self) -> None:
        """Do all that comes before loading: what passes would be served.

        Raises:
            ModelError: it is refused, for whatever reason.
        """
        await self._within_limits(lambda _: None)

    async def _within_limits(self, then: Callable[[Path], Result]) -> Result:
        seconds = self._settings.model.trial_seconds * _STEPS
        try:
            async with asyncio.timeout(seconds):
                return await in_daemon_thread(lambda: self._tried(then))
        except TimeoutError:
            raise ModelError(f"the model was not loaded within {seconds:g} seconds") from None
        finally:
            if self._trial is not None:
                self._trial.stop()

    def _tried(self, then: Callable[[Path], Result]) -> Result:
        settings = self._settings
        most = settings.model.max_folder_mb * 1_000_000
        try:
            with checked_copy(self._announcement, settings.learning.registry, most) as folder:
                self._trial = Trial(folder, settings.model, checked=True)
                try:
                    self._trial.run()
                    return then(folder)
                except ModelError as error:  # nobody can look at the copy any more
                    reason = error.message.replace(str(folder), self._announcement.location)
                    raise ModelError(reason, error.remedy) from None
        except ModelError:
            raise
        # Paths, files and libraries of a stranger raise what they like, and Rust's panics are no
        # Exception even. Nothing of it may end a worker.
        except BaseException as error:
            raise ModelError(f"{type(error).__name__}: {error}") from error


async def in_daemon_thread(function: Callable[[], Result]) -> Result:
    """Run a function that may never return: neither the event loop nor the process waits for it.

    The threads of :func:`asyncio.to_thread` are waited for at the end of a process.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def deliver(result: Result | None, error: Exception | None) -> None:
        if future.done():  # nobody waits any more
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # None is what it returned
        else:
            future.set_exception(error)

    def run() -> None:
        outcome: tuple[Result | None, Exception | None]
        try:
            outcome = (function(), None)
        except Exception as error:  # noqa: BLE001 - it is for whoever waits
            outcome = (None, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(deliver, *outcome)

    threading.Thread(target=run, name="model loading", daemon=True).start()
    return await future
