"""A run of tests that hangs ends itself and prints the stacks of all threads.

pytest-timeout bounds a test with its fixtures, but it stops counting as soon as a test has failed,
so that a fixture or an event loop that cannot close after a failure would wait for ever. It sees
neither the collection nor the end of the session. This watchdog bounds all of these. It is a
thread in C (:func:`faulthandler.dump_traceback_later`): no lock of the interpreter holds it up.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

import pytest

# pytest-timeout names the test, so it has the first word; closing after a failure has this long.
GRACE_SECONDS: Final = 60.0
# Collection, and the end of the process. Two loaded cores need a minute to import torch and scipy.
OUTSIDE_SECONDS: Final = 300.0
# A process that only hands tests to others is bounded by the time that the whole session has.
CONTROLLER_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each part of a run may take, in seconds.

    Attributes:
        grace: added to the time-out of a test.
        outside: what is outside of all tests.
        controller: added to the time-out of the session, where others run the tests.
    """

    grace: float = GRACE_SECONDS
    outside: float = OUTSIDE_SECONDS
    controller: float = CONTROLLER_SECONDS


class Watchdog:
    """A pytest plugin: everything that happens in this process has a bound.

    Args:
        config: of the run.
        limits: other ones than usual.
    """

    def __init__(self, config: pytest.Config, limits: Limits | None = None) -> None:
        self._config = config
        self._limits = limits or Limits()
        # Outputs are captured while tests run; a copy of the real one is not.
        self._stderr = os.dup(_stderr())
        self._deadline = 0.0
        self._watch(self._limits.outside)

    def pytest_sessionstart(self) -> None:
        if self._config.getoption("numprocesses", None):
            session = float(self._config.getini("session_timeout") or 0)
            self._watch(session + self._limits.controller)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._watch(self._seconds(item) + self._limits.grace)
        try:
            return (yield)
        finally:
            self._watch(self._limits.outside)

    @pytest.hookimpl(trylast=True)
    def pytest_exception_interact(self) -> None:
        # pytest's own plugin has just cancelled the watch, since a debugger may follow.
        if not self._config.getoption("usepdb"):
            self._watch(self._deadline - time.monotonic())

    def pytest_sessionfinish(self) -> None:
        self._watch(self._limits.outside)

    def pytest_unconfigure(self) -> None:
        # Not cancelled: a thread that does not end would keep the process from ending.
        self._watch(self._limits.outside)

    def _seconds(self, item: pytest.Item) -> float:
        """Return the time-out of a test, as pytest-timeout reads it."""
        marker = item.get_closest_marker("timeout")
        value = marker.args[0] if marker and marker.args else None
        if value is None and marker:
            value = marker.kwargs.get("timeout")
        if value is None:
            value = self._config.getoption("timeout", None) or self._config.getini("timeout")
        return float(value or 0) or self._limits.outside

    def _watch(self, seconds: float) -> None:
        """Let the process end in so many seconds, unless this is called again before."""
        self._deadline = time.monotonic() + seconds
        faulthandler.dump_traceback_later(max(seconds, 0.1), exit=True, file=self._stderr)


def _stderr() -> int:
    """Return the real standard error's descriptor; pytest-xdist puts another object in its place."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, ValueError, OSError):
        return 2
