"""A broker that answers, and sends its clients where they cannot come: advertised.listeners."""

import asyncio
import json
import struct

import pytest

from deploy.local.ports import free_ports
from stream.errors import BrokerError
from stream.kafka.topics import list_topics
from stream.settings import load_settings
from tests.faults.kafka_proxy import KafkaProxy
from tests.support.command_line import assert_one_clear_line, reviews

pytestmark = pytest.mark.kafka


@pytest.fixture
async def misled(kafka):
    """Addresses: one that answers, and one where nobody listens, to which it sends everybody."""
    real = int(kafka.rpartition(":")[2])
    door, nowhere = free_ports(2)
    host = b"127.0.0.1"

    def elsewhere(reply):
        return reply.replace(host + struct.pack(">i", real), host + struct.pack(">i", nowhere))

    async with KafkaProxy(door, real) as proxy:
        proxy.rewrite = elsewhere
        yield f"127.0.0.1:{door}", f"127.0.0.1:{nowhere}"


async def test_a_client_says_where_it_was_sent_instead_of_trying_for_ever(misled):
    server, nowhere = misled
    kafka = load_settings(kafka={"bootstrap_servers": server}).kafka
    with pytest.raises(BrokerError) as raised:
        await list_topics(kafka)
    assert f"answers at {server}, but sends us to {nowhere} (connection refused)" in str(
        raised.value
    )
    assert "advertised.listeners" in raised.value.remedy


@pytest.mark.parametrize("arguments", [("produce", "-"), ("work",), ("guard",)], ids=" ".join)
async def test_a_command_says_so_in_one_line(misled, arguments):
    server, nowhere = misled
    done = await asyncio.to_thread(
        reviews, *arguments, stdin="чайник\n", REVIEWS_KAFKA__BOOTSTRAP_SERVERS=server
    )
    assert_one_clear_line(done, 4, "advertised.listeners")
    assert nowhere in done.stderr


async def test_the_doctor_says_so_and_exits_with_the_code_of_kafka(misled):
    server, nowhere = misled
    done = await asyncio.to_thread(
        reviews, "doctor", "--json", REVIEWS_KAFKA__BOOTSTRAP_SERVERS=server
    )
    said = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 4
    assert nowhere in said["kafka"]["detail"]
    assert "advertised.listeners" in said["kafka"]["remedy"]
