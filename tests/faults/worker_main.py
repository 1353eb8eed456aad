"""The worker under test as a process: ``python -m tests.faults.worker_main MODEL_FOLDER``."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from stream.errors import ReviewsError
from stream.logs import configure_logs
from stream.settings import load_settings
from stream.worker import Worker
from tests.faults.controls import Controls
from tests.faults.doubles import report


async def _announce_readiness(worker: Worker) -> None:
    while not worker.ready:  # noqa: ASYNC110 - as a probe does
        await asyncio.sleep(0.05)
    report("ready")


async def _main(folder: Path) -> None:
    settings = load_settings()
    configure_logs(settings.log)
    controls, stop = Controls(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    worker = Worker(settings, controls.classifier(folder, settings))
    obeying = asyncio.create_task(controls.obey())
    obeying.add_done_callback(lambda _: stop.set())
    announcing = asyncio.create_task(_announce_readiness(worker))
    await worker.run(stop)
    report("drained")
    obeying.cancel()
    announcing.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(_main(Path(sys.argv[1])))
    except ReviewsError as error:
        sys.exit(f"error: {error}")
