"""Fetching by a topic's id, as aiokafka's fetcher sees it."""

import struct
from types import SimpleNamespace

import pytest
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.fetch import FetchRequest
from structlog.testing import capture_logs

from stream.kafka.reading.by_id import TopicMeant
from stream.kafka.replies import MalformedReply

NODE, POSITION = 1, 7
OLD, NEW = (-5, 1), (6, 2)
UNKNOWN_TOPIC_ID = 100
FETCH = FetchRequest(500, 1, 1000, 1, [("t", [(0, POSITION, 1000)])])


class Broker:
    """Answers as a broker does whose topic ``t`` has an id, or none."""

    def __init__(self, topic_id, *, knows_ids=True):
        self.topic_id = topic_id
        self.knows_ids = knows_ids
        self.aborted = []
        self.topics = None
        """Instead of the one that was asked for."""
        self.error = 0
        self.asked = []

    async def send(self, node, request):
        assert node == NODE
        self.asked.append(request)
        if request.API_KEY == 3:
            code = 0 if self.topic_id else 3
            return SimpleNamespace(
                topics=[(code, "t", *(self.topic_id or (0, 0)), False, [], 0, {})]
            )
        if isinstance(request, FetchRequest):
            return SimpleNamespace(topics=[("t", [(0, 0, 10, 10, 0, [], -1, b"named")])])
        if not self.knows_ids:
            raise IncompatibleBrokerVersion("fetches by name only")
        ((high, low, partitions, _tags),) = request.prepare({1: (4, 18)}).topics
        code = 0 if (high, low) == self.topic_id else UNKNOWN_TOPIC_ID
        entries = [(n, code, 10, 10, 0, self.aborted, -1, b"", {}) for n, *_ in partitions]
        found = [(high, low, entries, {})] if self.topics is None else self.topics
        return SimpleNamespace(topics=found, error_code=self.error)

    @property
    def fetches(self):
        return [request for request in self.asked if request.API_KEY == 1]


def errors_in(reply):
    return [(topic, error) for topic, entries in reply.topics for _number, error, *_ in entries]


async def fetched(meant):
    return errors_in(await meant.fetch(NODE, FETCH))


async def test_a_topic_is_asked_by_its_id_and_answered_by_its_name():
    broker = Broker(OLD)
    reply = await TopicMeant(broker.send).fetch(NODE, FETCH)
    assert reply.topics == [("t", [(0, 0, 10, 10, 0, [], -1, b"")])]
    (request,) = broker.fetches
    data = request.prepare({1: (4, 18)}).encode()
    assert struct.pack(">qq", *OLD) in data
    assert struct.pack(">iiq", 0, -1, POSITION) in data


@pytest.mark.parametrize(
    ("told", "read"), [([(4, 2, {}), (5, 3, {})], [(4, 2), (5, 3)]), (None, [])]
)
async def test_transactions_that_were_aborted_are_told_as_pairs(told, read):
    broker = Broker(OLD)
    broker.aborted = told
    reply = await TopicMeant(broker.send).fetch(NODE, FETCH)
    assert reply.topics == [("t", [(0, 0, 10, 10, 0, read, -1, b"")])]


async def test_the_position_in_a_topic_that_was_made_anew_is_gone_once():
    broker = Broker(OLD)
    meant = TopicMeant(broker.send)
    await fetched(meant)
    broker.topic_id = NEW
    with capture_logs() as logs:
        assert await fetched(meant) == [("t", OffsetOutOfRangeError.errno)]
        assert await fetched(meant) == [("t", 0)]
    assert [line["event"] for line in logs] == ["topic_recreated"]


async def test_a_topic_that_was_deleted_is_meant_until_it_is_there_again():
    broker = Broker(OLD)
    meant = TopicMeant(broker.send)
    await fetched(meant)
    broker.topic_id = None
    assert await fetched(meant) == [("t", UnknownTopicOrPartitionError.errno)]
    broker.topic_id = NEW
    assert await fetched(meant) == [("t", OffsetOutOfRangeError.errno)]


async def test_what_was_learned_at_a_rebalance_is_meant_from_then():
    broker = Broker(OLD)
    meant = TopicMeant(broker.send)
    await fetched(meant)
    broker.topic_id = NEW
    await meant.learn(NODE, ["t"])
    assert await fetched(meant) == [("t", 0)]


@pytest.mark.parametrize("broker", [Broker(None), Broker(OLD, knows_ids=False)])
async def test_it_is_asked_by_name_where_the_broker_has_no_ids(broker):
    reply = await TopicMeant(broker.send).fetch(NODE, FETCH)
    assert reply.topics[0][1][0][-1] == b"named"


@pytest.mark.parametrize("topics", [[(*NEW, [], {})], [(*OLD, None, {})], [(*OLD, [(0,)], {})]])
async def test_a_reply_that_makes_no_sense_is_an_error_that_fetching_survives(topics):
    broker = Broker(OLD)
    broker.topics = topics
    with pytest.raises(MalformedReply):
        await TopicMeant(broker.send).fetch(NODE, FETCH)


async def test_an_error_of_the_whole_reply_is_one_and_not_an_empty_reply():
    broker = Broker(OLD)
    broker.error = NotLeaderForPartitionError.errno
    with pytest.raises(NotLeaderForPartitionError):
        await TopicMeant(broker.send).fetch(NODE, FETCH)
