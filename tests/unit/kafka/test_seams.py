"""What is private of aiokafka and relied upon: a release that changes it fails here first."""

import inspect

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from stream.kafka.reading import BoundedConsumer
from tests.support.record_batches import TP, Fetches, batch


async def test_fetches_go_through_the_client_that_a_consumer_keeps():
    consumer = BoundedConsumer(bootstrap_servers="127.0.0.1:1")
    assert consumer._client.send.__module__ == "stream.kafka.reading.consumer"
    await consumer.stop()
    # The fetcher sends with the client that it is given, and nothing else.
    source = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "await self._client.send(node_id, request)" in source
    assert "MemoryRecords(part_data[-1])" in source
    assert "self._client," in inspect.getsource(AIOKafkaConsumer.start)


def test_a_fetch_names_its_positions():
    request = FetchRequest(500, 1, 1000, 1, [("t", [(0, 42, 1000)])])
    assert request.topics == [("t", [(0, 42, 1000)])]


def test_bytes_of_other_consumers_in_the_process_are_read_as_ever():
    assert isinstance(fetcher.MemoryRecords(batch([(b"k", b"v", [])])), MemoryRecords)


def test_a_read_batch_is_all_that_the_fetcher_asks_for():
    source = inspect.getsource(fetcher.PartitionRecords)
    asked = {
        word.split(".", 1)[1]
        for word in source.replace("(", " ").replace(")", " ").replace(",", " ").split()
        if word.startswith("next_batch.")
    }
    names = {name.rstrip(":") for name in asked}
    assert names == {
        *("validate_crc", "producer_id", "base_offset", "is_control_batch"),
        *("is_transactional", "next_offset"),
    }


def test_records_of_an_aborted_transaction_are_left_out():
    # A fetch without the list of aborted transactions gives them: the list is what decides.
    log = batch([(b"k", b"v", [])], transactional=True)
    assert [record.value for record in Fetches(log, 1).read()] == [b"v"]
    aborted = fetcher.PartitionRecords(
        TopicPartition(*TP), fetcher.MemoryRecords(log), [(7, 0)], 0, None, None, True, 1
    )
    assert list(aborted) == []
