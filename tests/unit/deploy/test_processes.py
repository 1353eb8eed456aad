"""A server's process leaves nothing open in ours, however it ends."""

import gc
import sys
import time

import psutil
import pytest

from deploy.local.errors import StartFailed
from deploy.local.process import ServerProcess

pytestmark = pytest.mark.filterwarnings(
    "error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning"
)

WAITS = [sys.executable, "-c", "import time; time.sleep(600)"]
ENDS = [sys.executable, "-c", "print('no such option')"]
ABSENT = ["/nowhere/server"]


@pytest.fixture
def server(tmp_path):
    started = ServerProcess("server", tmp_path)
    yield started
    started.kill()


@pytest.fixture(autouse=True)
def nothing_is_left_open(server):
    here = psutil.Process()
    gc.collect()
    before = here.num_fds()
    gc.disable()  # it would close what was forgotten
    yield
    left = here.num_fds()
    gc.enable()
    assert left == before


def ended(server):
    while server.is_alive():
        time.sleep(0.01)


@pytest.mark.parametrize("end", [ServerProcess.stop, ServerProcess.kill])
def test_nothing_stays_open_after_its_end(server, end):
    server.start(WAITS, lambda: True, 60)
    end(server)


def test_nothing_stays_open_after_it_ended_while_it_started(server):
    with pytest.raises(StartFailed, match=r"(?s)ended while starting.*no such option"):
        server.start(ENDS, lambda: False, 60)


def test_nothing_stays_open_after_it_was_not_ready_in_time(server):
    with pytest.raises(StartFailed, match="was not ready after 0 s"):
        server.start(WAITS, lambda: False, 0)


def test_nothing_stays_open_after_it_could_not_be_executed(server):
    with pytest.raises(StartFailed, match="cannot be executed"):
        server.start(ABSENT, lambda: True, 60)


def test_nothing_stays_open_after_it_ended_by_itself_and_was_started_again(server):
    server.start(ENDS, lambda: True, 60)
    ended(server)
    server.start(WAITS, lambda: True, 60)
    server.stop()
