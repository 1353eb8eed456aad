"""Running what is under test as a process that the harness steers and listens to."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Protocol

from stream.errors import ReviewsError
from stream.logs import configure_logs
from stream.settings import Settings, load_settings
from tests.faults.controls import Controls
from tests.faults.doubles import report


class Subject(Protocol):
    """A worker, or a relabeller."""

    @property
    def ready(self) -> bool:
        """Whether its partitions are being published."""

    async def run(self, stop: asyncio.Event) -> object:
        """Work until told to stop."""


def run_subject(make: Callable[[Settings, Controls], Subject]) -> None:
    """Run it until SIGTERM; report readiness and the end of the drain."""
    try:
        asyncio.run(_run(make))
    except ReviewsError as error:
        sys.exit(f"error: {error}")


async def _announce_readiness(subject: Subject) -> None:
    while not subject.ready:  # noqa: ASYNC110 - as a probe does
        await asyncio.sleep(0.05)
    report("ready")


async def _run(make: Callable[[Settings, Controls], Subject]) -> None:
    settings = load_settings()
    configure_logs(settings.log, settings.privacy.redact_kinds)
    controls, stop = Controls(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    subject = make(settings, controls)
    obeying = asyncio.create_task(controls.obey())
    obeying.add_done_callback(lambda _: stop.set())
    announcing = asyncio.create_task(_announce_readiness(subject))
    await subject.run(stop)
    report("drained")
    obeying.cancel()
    announcing.cancel()
