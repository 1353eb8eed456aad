"""The relabeller under test as a process: ``python -m tests.faults.relabeller_main``."""

from __future__ import annotations

from stream.settings import Settings
from tests.faults.controls import Controls
from tests.faults.subject import run_subject
from tests.support.relabelling import word_decider
from training.relabeller import Relabeller


def _relabeller(settings: Settings, _: Controls) -> Relabeller:
    return Relabeller(settings, word_decider())


if __name__ == "__main__":
    run_subject(_relabeller)
