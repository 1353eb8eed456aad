"""SIGTERM is taken as Ctrl-C is: a command says what it did, and its exit status says by what it ended."""

import multiprocessing
import signal
import subprocess
import sys
import time

import pytest

from stream.cli import INTERRUPTED, TERMINATED
from stream.cli.signals import SigtermAsCtrlC

WAIT_SECONDS = 60
CONSUME = """
import asyncio, signal, sys
from stream.cli import consume, main

class Reader:
    unreadable, left = 0, 2
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        print("closing", flush=True)
        await asyncio.sleep({closing})
    def __aiter__(self):
        return self
    async def __anext__(self):
        if not self.left:
            print("waiting", flush=True)
            await asyncio.Event().wait()
        self.left -= 1
        return self.left

consume._reader = lambda *_, **__: (Reader(), lambda _: None)
signal.signal(signal.SIGINT, signal.{ctrl_c})
sys.argv = ["reviews", "consume", "--group", "ours"]
main()
"""


def wait_for_nothing(runs):
    runs.set()
    time.sleep(WAIT_SECONDS)


def consuming(closing=0, ctrl_c="default_int_handler"):
    """Start a command that has read two events and waits for more."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONSUME.format(closing=closing, ctrl_c=ctrl_c)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    return process


@pytest.mark.parametrize(
    ("number", "ctrl_c", "status"),
    [
        pytest.param(signal.SIGINT, "default_int_handler", INTERRUPTED, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, "default_int_handler", TERMINATED, id="SIGTERM"),
        pytest.param(signal.SIGTERM, "SIG_IGN", TERMINATED, id="SIGTERM, Ctrl-C ignored"),
    ],
)
def test_a_command_that_is_ended_closes_what_it_opened_and_says_what_it_did(number, ctrl_c, status):
    with consuming(ctrl_c=ctrl_c) as process:
        process.send_signal(number)
        closed, said = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == status
    assert closed == "closing\n"
    assert "stopped: 2 events; group ours goes on after them" in " ".join(said.split())


def test_a_later_sigterm_ends_at_once_and_one_that_is_sent_twice_does_not():
    with consuming(closing=WAIT_SECONDS) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "closing\n"
        process.send_signal(signal.SIGTERM)  # at the same time: as a shell sends it
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=WAIT_SECONDS / 2)
    assert process.returncode == TERMINATED
    assert "Traceback" not in said


def test_a_process_that_was_forked_meanwhile_is_ended_by_sigterm_as_ever():
    forking = multiprocessing.get_context("fork")
    runs = forking.Event()
    with SigtermAsCtrlC():
        child = forking.Process(target=wait_for_nothing, args=(runs,))
        child.start()
        assert runs.wait(WAIT_SECONDS)  # until then Python forgets signals of a fork
        child.terminate()
        child.join()
    assert child.exitcode == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
