"""A coordinator that cannot answer is not a group that has never committed."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, NotCoordinatorForGroupError

from stream.kafka.offsets import OffsetPending, SettledOffsetFetch, committed_offset, offset_in

TP = TopicPartition("reviews.incoming", 1)
LOADING, NOT_COORDINATOR, REFUSED, UNKNOWN_TOPIC, UNSTABLE = 14, 16, 30, 3, 88


def reply(*partitions, error=0):
    return SimpleNamespace(topics=[("reviews.incoming", list(partitions))], error_code=error)


MOVING = SimpleNamespace(topics=[], error_code=NOT_COORDINATOR)


def test_a_committed_offset_is_read():
    assert offset_in(reply((0, 5, "", 0), (1, 7, "", 0)), TP) == 7


def test_a_partition_that_was_never_committed_has_none():
    assert offset_in(reply((1, -1, "", 0)), TP) is None


def test_a_reply_without_a_field_for_the_groups_error_is_read_too():
    assert offset_in(SimpleNamespace(topics=reply((1, 7, "", 0)).topics), TP) == 7


def test_a_reply_with_leader_epochs_and_tags_is_read_too():
    partitions = [(1, 7, 3, "", 0, {})]
    assert offset_in(SimpleNamespace(topics=[(TP.topic, partitions, {})], error_code=0), TP) == 7


def test_an_offset_that_an_open_transaction_is_about_to_replace_is_not_settled():
    partitions = [(1, -1, -1, "", UNSTABLE, {})]
    with pytest.raises(OffsetPending):
        offset_in(SimpleNamespace(topics=[(TP.topic, partitions, {})], error_code=0), TP)


@pytest.mark.parametrize(("newest", "version"), [(9, 7), (7, 7), (5, 3)])
def test_a_settled_offset_is_asked_for_as_far_as_the_broker_knows_how(newest, version):
    request = SettledOffsetFetch("group", [(TP.topic, [TP.partition])]).prepare({9: (1, newest)})
    assert version == request.API_VERSION
    assert request.encode()


def test_an_error_of_the_group_beside_an_empty_list_is_an_error():
    with pytest.raises(NotCoordinatorForGroupError):
        offset_in(MOVING, TP)


@pytest.mark.parametrize(
    "answer",
    [
        reply((1, -5, "", 0)),
        reply(),
        reply((1, -1, "", UNKNOWN_TOPIC)),
        reply((1, -1, "", REFUSED)),
    ],
)
def test_anything_but_a_clear_answer_is_an_error(answer):
    with pytest.raises(KafkaError):
        offset_in(answer, TP)


class Coordinator:
    def __init__(self, *replies):
        self.replies = list(replies)
        self.looked_up = 0

    async def ensure_coordinator_known(self):
        self.looked_up += 1

    async def _send_req(self, request):
        return self.replies.pop(0)

    def coordinator_dead(self):
        pass


def consumer(*replies):
    return SimpleNamespace(_coordinator=Coordinator(*replies))


async def test_while_the_coordinator_moves_it_asks_again():
    loading = SimpleNamespace(topics=[], error_code=LOADING)
    asked = consumer(MOVING, loading, reply((1, 7, "", 0)))
    assert await committed_offset(asked, "group", TP) == 7
    assert asked._coordinator.looked_up == 3


async def test_a_refusal_is_not_asked_again():
    with pytest.raises(GroupAuthorizationFailedError):
        await committed_offset(consumer(reply(error=REFUSED)), "group", TP)
