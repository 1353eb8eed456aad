"""The relabeller under test as a process: ``python -m tests.faults.relabeller_main``."""

from __future__ import annotations

import asyncio
import signal
import sys

from stream.errors import ReviewsError
from stream.logs import configure_logs
from stream.settings import load_settings
from tests.faults.controls import Controls
from tests.faults.doubles import report
from tests.support.relabelling import word_decider
from training.relabeller import Relabeller


async def _announce_readiness(relabeller: Relabeller) -> None:
    while not relabeller.ready:  # noqa: ASYNC110 - as a probe does
        await asyncio.sleep(0.05)
    report("ready")


async def _main() -> None:
    settings = load_settings()
    configure_logs(settings.log)
    controls, stop = Controls(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    relabeller = Relabeller(settings, word_decider())
    obeying = asyncio.create_task(controls.obey())
    obeying.add_done_callback(lambda _: stop.set())
    announcing = asyncio.create_task(_announce_readiness(relabeller))
    await relabeller.run(stop)
    report("drained")
    obeying.cancel()
    announcing.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except ReviewsError as error:
        sys.exit(f"error: {error}")
