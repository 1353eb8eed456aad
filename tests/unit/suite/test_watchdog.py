"""No test can hang a run: wherever it hangs, it ends soon and shows the stacks of its threads."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CONFTEST = """
import time

from tests.support.watchdog import Limits, Watchdog


def pytest_configure(config):
    limits = Limits(grace=1.0, outside=4.0)
    config.pluginmanager.register(Watchdog(config, limits), "watchdog")


def wait_for_ever():
    time.sleep(3600)
"""
OPTIONS = """
[pytest]
timeout = 1
timeout_method = thread
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
"""
IMPORTS = """
import asyncio
import contextlib
import threading

import pytest

from conftest import wait_for_ever
"""
HANGS = {
    "a test": """
        def test_it():
            wait_for_ever()
        """,
    "a fixture that opens": """
        @pytest.fixture
        def stuck():
            wait_for_ever()

        def test_it(stuck):
            pass
        """,
    "a fixture that closes after a failure": """
        @pytest.fixture
        def stuck():
            yield
            wait_for_ever()

        def test_it(stuck):
            raise AssertionError
        """,
    "the loop, which waits for a task that cannot be cancelled": """
        async def stubborn():
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600)

        async def test_it():
            global task
            task = asyncio.create_task(stubborn())
            await asyncio.sleep(0)
            raise AssertionError
        """,
    "the collection": """
        wait_for_ever()
        """,
    "a thread that outlives the run": """
        def test_it():
            threading.Thread(target=wait_for_ever).start()
        """,
}
ENDS = """
def test_it():
    pass
"""
# It only bounds a failure of the watchdog.
SECONDS = 120


def started(folder, tests):
    """Start pytest on a file of tests, with the watchdog."""
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "pytest.ini").write_text(OPTIONS, encoding="utf-8")
    (folder / "test_it.py").write_text(IMPORTS + textwrap.dedent(tests), encoding="utf-8")
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "pytest_asyncio.plugin",
            "-p",
            "pytest_timeout",
            folder,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Return how each run ended, name to exit status and output; they run side by side."""
    folder = tmp_path_factory.mktemp("runs")
    runs = [*HANGS.items(), ("nothing", ENDS)]
    processes = {name: started(folder / str(i), tests) for i, (name, tests) in enumerate(runs)}
    try:
        outputs = {name: p.communicate(timeout=SECONDS)[0] for name, p in processes.items()}
        return {name: (processes[name].returncode, output) for name, output in outputs.items()}
    finally:
        for process in processes.values():
            process.kill()


@pytest.mark.parametrize("what", HANGS)
def test_whatever_hangs_ends_and_shows_where(ended, what):
    status, output = ended[what]
    assert status == 1, output
    _, _, stacks = output.partition("Timeout")
    where = "in _cancel_all_tasks" if "loop" in what else "in wait_for_ever"
    assert where in stacks, output


def test_a_run_that_does_not_hang_ends_as_it_would_without(ended):
    status, output = ended["nothing"]
    assert status == 0, output
    assert "1 passed" in output
