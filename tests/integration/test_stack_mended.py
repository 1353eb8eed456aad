"""`reviews up` mends what is down, and leaves alone what runs."""

import socket
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import redis

from deploy.local import LocalStack
from tests.support.command_line import reviews


@pytest.fixture
def stack(tmp_path):
    made = LocalStack(tmp_path / "data")
    made.up()
    yield made
    made.down()


def pids(status):
    return {server.name: server.pid for server in status.servers}


def test_of_two_that_start_it_at_once_the_second_finds_what_the_first_has_started(tmp_path):
    stacks = [LocalStack(tmp_path / "data") for _ in range(2)]
    try:
        with ThreadPoolExecutor(2) as both:
            first, second = both.map(LocalStack.up, stacks)
        assert first.healthy
        assert second.healthy
        assert pids(first) == pids(second) == pids(stacks[0].status())
    finally:
        stacks[0].down()


def test_where_redis_alone_had_died_kafka_is_not_started_again(stack, tmp_path):
    before = stack.status()
    psutil.Process(pids(before)["redis"]).kill()
    psutil.Process(pids(before)["redis"]).wait(10)
    assert not stack.status().healthy
    after = stack.up()
    assert after.healthy
    assert after.redis_url == before.redis_url
    assert pids(after)["kafka-1"] == pids(before)["kafka-1"]
    assert pids(after)["redis"] != pids(before)["redis"]

    told = reviews("up", "--data-dir", str(tmp_path / "data"), "--kafka-port", "9999")
    assert told.returncode == 0, told.stderr
    assert "--kafka-port 9999 was ignored" in " ".join(told.stderr.split())
    assert f"export REVIEWS_KAFKA__BOOTSTRAP_SERVERS={after.bootstrap_servers}" in told.stdout
    assert pids(stack.status()) == pids(after)


def test_where_kafka_alone_had_died_redis_keeps_running_and_kafka_is_where_it_was(stack):
    before = stack.status()
    psutil.Process(pids(before)["kafka-1"]).kill()
    psutil.Process(pids(before)["kafka-1"]).wait(10)
    assert not stack.status().healthy
    with redis.Redis.from_url(before.redis_url) as client:
        client.set("kept", "in memory only")
        after = stack.up()
        kept = client.get("kept")
    assert after.healthy
    assert after.bootstrap_servers == before.bootstrap_servers
    assert pids(after)["redis"] == pids(before)["redis"]
    assert pids(after)["kafka-1"] != pids(before)["kafka-1"]
    assert kept == b"in memory only"


def test_where_kafkas_port_was_taken_meanwhile_everything_is_started_anew(stack):
    before = stack.status()
    psutil.Process(pids(before)["kafka-1"]).kill()
    psutil.Process(pids(before)["kafka-1"]).wait(10)
    port = int(before.bootstrap_servers.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        after = stack.up()
    assert after.healthy
    assert after.bootstrap_servers != before.bootstrap_servers
