"""Servers that run in another folder are named, and ended by nobody who did not ask for it."""

import shlex
import subprocess
import sys

import pytest

from deploy.local.process import ProcessId
from deploy.local.state import ServerRecord, StackState
from tests.support.command_line import reviews

WAITS = "import sys; print(flush=True); sys.stdin.read()"


@pytest.fixture
def left_running(tmp_path):
    """A data folder as `reviews up --data-dir` leaves it, and a process in the place of a server."""
    data = tmp_path / "my [data]"
    (data / "redis").mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", WAITS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=data / "redis",
    ) as server:
        server.stdout.readline()
        record = ServerRecord("redis", ProcessId.of(server.pid), 0, 0, "redis.log")
        StackState("127.0.0.1:9099", "unix:///nowhere", servers=(record,)).write(data)
        yield data, server
        server.kill()


@pytest.mark.parametrize("command", ["down", "status"])
def test_what_runs_in_another_folder_is_named_with_what_stops_it(left_running, tmp_path, command):
    data, server = left_running
    said = reviews(command, cwd=tmp_path).stderr
    assert "in .reviews" in said
    assert "Kafka on 127.0.0.1:9099" in said
    assert f"reviews down --data-dir {shlex.quote(str(data))}" in said
    assert server.poll() is None


def test_that_command_stops_it_and_then_it_is_named_no_more(left_running, tmp_path):
    data, server = left_running
    stopped = reviews("down", "--data-dir", str(data), cwd=tmp_path)
    assert (stopped.returncode, "stopped" in stopped.stderr) == (0, True)
    assert server.wait(60) != 0
    assert str(data) not in reviews("down", cwd=tmp_path).stderr


def test_what_ends_with_another_process_is_not_named(left_running, tmp_path):
    data, server = left_running
    state = StackState.read(data)
    StackState(state.bootstrap_servers, state.redis_url, ProcessId.of(1), state.servers).write(data)
    assert str(data) not in reviews("down", cwd=tmp_path).stderr
    assert server.poll() is None
