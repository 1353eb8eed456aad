"""The worker under test as a process: ``python -m tests.faults.worker_main MODEL_FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from stream.settings import Settings
from stream.worker.app import Worker
from stream.worker.gc_tuning import tuned_gc
from tests.faults.controls import Controls
from tests.faults.subject import run_subject


def _worker(settings: Settings, controls: Controls) -> Worker:
    return Worker(settings, controls.classifier(Path(sys.argv[1]), settings))


if __name__ == "__main__":
    with tuned_gc():
        run_subject(_worker)
