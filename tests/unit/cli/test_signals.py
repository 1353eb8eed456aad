"""How a command hears that it is to end, and what happens when it does not."""

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

from stream.cli.signals import StopSignals

WAIT_SECONDS = 60
COMMAND = """
import asyncio, threading
from stream.cli.signals import StopSignals

async def main(blocked):
    signals = StopSignals(ends_within={seconds})
    print("ready", flush=True)
    await signals.stop.wait()
    if blocked:
        threading.Event().wait()
    print(signals.first.name, flush=True)

asyncio.run(main({blocked}))
"""


def told_to_end(number, *, seconds, blocked):
    code = COMMAND.format(seconds=seconds, blocked=blocked)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        said, logged = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, said, logged


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("seconds", [None, WAIT_SECONDS])
def test_a_command_that_ends_says_what_it_heard(number, seconds):
    assert told_to_end(number, seconds=seconds, blocked=False) == (0, f"{number.name}\n", "")


def test_a_command_that_does_not_end_is_ended_with_a_log_line_and_all_stacks():
    code, said, logged = told_to_end(signal.SIGTERM, seconds=0.1, blocked=True)
    assert code == 1
    assert "process_did_not_end" in said + logged  # where logs go is not set up here
    assert "SIGTERM" not in said
    assert "most recent call first" in logged


def test_a_later_ctrl_c_ends_what_does_not_end_of_itself():
    code = """
import asyncio
from stream.cli.signals import StopSignals

async def main():
    signals = StopSignals(on_first=lambda number: print(number.name, flush=True))
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "SIGTERM\n"
        process.send_signal(signal.SIGINT)  # at the same time: as a shell sends it
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_worker_does_not_outlive_its_drain_for_a_thread_that_gets_no_answer():
    code = """
import asyncio, time
from stream.cli import work
from stream.settings import load_settings
from stream.worker import app

async def run_worker(settings, stop):
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 100)
    print("ready", flush=True)
    await stop.wait()

app.run_worker = run_worker
work._END_SECONDS = 0.2
asyncio.run(work._work(load_settings(worker={"drain_timeout": 0.1}), stop_at_eof=False))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        said, logged = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 1
    assert "process_did_not_end" in said + logged


async def test_what_was_stopped_and_has_ended_is_not_ended_later(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr("stream.cli.signals._end_process", lambda _: ended.set())
    with StopSignals(ends_within=1.0) as signals:
        signal.raise_signal(signal.SIGTERM)
        await signals.stop.wait()
    assert not await asyncio.to_thread(ended.wait, 1.5)
    with StopSignals(ends_within=0.2):
        signal.raise_signal(signal.SIGTERM)
        assert await asyncio.to_thread(ended.wait, WAIT_SECONDS)
