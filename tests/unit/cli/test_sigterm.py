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
import asyncio, faulthandler, signal, sys
faulthandler.dump_traceback_later({at_most}, exit=True)  # instead of waiting for ever
from stream.cli import consume, main

class Reader:
    unreadable, left, uncommitted = 0, 2, {uncommitted}
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

# A signal that comes after Python last looked for one, and before the loop waits: between two C functions.
BEFORE_IT_WAITS = """
import asyncio, ctypes, faulthandler, functools, operator, selectors, signal
faulthandler.dump_traceback_later({at_most}, exit=True)
from stream.cli.signals import interruptible

class Unlucky(selectors.EpollSelector):
    waits = False
    def select(self, timeout=None):
        if Unlucky.waits:
            Unlucky.waits = False
            signalled = functools.partial(ctypes.CDLL(None)["raise"], signal.SIGINT)
            tuple(map(operator.call, (signalled, self._selector.poll)))
        return super().select(timeout)

async def wait():
    Unlucky.waits = True
    await asyncio.Event().wait()

selectors.DefaultSelector = Unlucky
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    interruptible(wait())
except KeyboardInterrupt:
    print("heard")
"""


def wait_for_nothing(runs):
    runs.set()
    time.sleep(WAIT_SECONDS)


def consuming(closing=0, ctrl_c="default_int_handler", **reader):
    """Start a command that has read two events and waits for more."""
    fields = {"closing": closing, "ctrl_c": ctrl_c, "at_most": WAIT_SECONDS, "uncommitted": False}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            CONSUME.format(**fields | reader),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n", process.stderr.read()
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
        closed, said = process.communicate()
    assert process.returncode == status, said
    assert closed == "closing\n"
    assert "stopped: 2 events; group ours goes on after them" in " ".join(said.split())


def test_a_reader_whose_last_events_are_not_committed_does_not_say_that_its_group_goes_on_after_them():
    with consuming(uncommitted=True) as process:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert process.returncode == TERMINATED, said
    assert "2 events; Kafka did not hear of all" in " ".join(said.split())
    assert "goes on after them" not in said


def test_ctrl_c_is_heard_that_comes_in_the_moment_before_the_event_loop_waits():
    program = BEFORE_IT_WAITS.format(at_most=WAIT_SECONDS)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "heard\n", ended.stderr


def test_a_later_sigterm_ends_at_once_and_one_that_is_sent_twice_does_not():
    with consuming(closing=2 * WAIT_SECONDS) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "closing\n"
        process.send_signal(signal.SIGTERM)  # at the same time: as a shell sends it
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert process.returncode == TERMINATED, said
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
