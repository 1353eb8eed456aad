"""Requests of transactions that are joined by writing: what goes over the wire, and what comes back."""

import io

import pytest
from aiokafka import TopicPartition

from stream.kafka.joining_requests import EndAndRenew, JoiningProduce

VERSIONS = {0: (0, 13), 26: (0, 5)}


def test_a_produce_says_what_the_protocol_has_it_say():
    # ProduceRequest.json of Kafka, version 12: lengths are one more than they are.
    batches = {TopicPartition("out", 2): bytearray(b"batch"), TopicPartition("out", 0): b"b"}
    built = JoiningProduce("id", 4000, batches).prepare(VERSIONS)
    assert built.API_VERSION == 12
    assert built.encode() == (
        b"\x03id"
        b"\xff\xff"  # all in-sync replicas
        b"\x00\x00\x0f\xa0"
        b"\x02\x04out"  # one topic
        b"\x03\x00\x00\x00\x02\x06batch\x00"  # two partitions
        b"\x00\x00\x00\x00\x02b\x00"
        b"\x00\x00"
    )


def test_a_leader_that_has_moved_says_so_between_what_is_understood():
    # ProduceResponse.json, version 12. Tag 0 is the leader that there is now (KIP-951).
    reply = (
        b"\x02\x04out\x02\x00\x00\x00\x02\x00\x06"
        + b"\xff" * 24  # no offset, no timestamp, no start of the log
        + b"\x01\x00"  # no record's error, no message
        + b"\x01\x00\x09\x00\x00\x00\x07\x00\x00\x00\x03\x00"  # the new leader, by number and epoch
        + b"\x00"
        + b"\x00\x00\x00\x00"
        + b"\x00"
    )
    decoded = JoiningProduce("id", 1, {}).prepare(VERSIONS).RESPONSE_TYPE.decode(io.BytesIO(reply))
    ((topic, ((partition, code, *_),), _),) = decoded.topics
    assert (topic, partition, code) == ("out", 2, 6)


@pytest.mark.parametrize(("commit", "wire"), [(True, b"\x01"), (False, b"\x00")])
def test_an_end_says_which_and_hears_the_next_epoch(commit, wire):
    built = EndAndRenew(("id", 9, 1), commit=commit).prepare(VERSIONS)
    assert built.API_VERSION == 5
    # EndTxnRequest.json and EndTxnResponse.json, version 5.
    assert built.encode() == b"\x03id" + (9).to_bytes(8) + b"\x00\x01" + wire + b"\x00"
    reply = built.RESPONSE_TYPE.decode(b"\x00" * 6 + (9).to_bytes(8) + b"\x00\x02" + b"\x00")
    assert (reply.error_code, reply.producer_id, reply.producer_epoch) == (0, 9, 2)


@pytest.mark.parametrize(
    "request_", [JoiningProduce("id", 1, {}), EndAndRenew(("id", 9, 1), commit=True)]
)
def test_a_broker_that_knows_only_the_former_version_is_not_asked(request_):
    with pytest.raises(NotImplementedError):
        request_.prepare({0: (0, 11), 26: (0, 4)})
