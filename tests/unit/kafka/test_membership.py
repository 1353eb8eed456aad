"""Offsets in the name of a member: what goes over the wire, and what a refusal means."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from stream.errors import BrokerError
from stream.kafka.broker_errors import Fenced, GenerationRefused, classify_error
from stream.kafka.membership import (
    JoiningOffsetCommit,
    MemberOffsetCommit,
    Membership,
    NotedOffset,
    TransactionOffsets,
    membership_of,
)

VERSIONS = {28: (0, 5)}
OFFSETS = {TopicPartition("in", 2): NotedOffset(7, "note")}


def request(instance=None, offsets=OFFSETS, kind=MemberOffsetCommit):
    membership = Membership(5, "member", instance)
    return kind(TransactionOffsets("id", (9, 1), "group", offsets, membership))


@pytest.mark.parametrize(
    ("instance", "wire"), [(None, b"\x00"), ("pod-1", b"\x06pod-1")], ids=["dynamic", "static"]
)
@pytest.mark.parametrize(("kind", "version"), [(MemberOffsetCommit, 3), (JoiningOffsetCommit, 5)])
def test_a_member_is_named_as_the_protocol_has_it(instance, wire, kind, version):
    # TxnOffsetCommitRequest.json of Kafka, versions 3 to 5: lengths are one more than they are.
    built = request(instance, kind=kind).prepare(VERSIONS)
    assert version == built.API_VERSION
    assert (
        built.encode()
        == (
            b"\x03id"
            b"\x06group"
            b"\x00\x00\x00\x00\x00\x00\x00\x09"  # producer id
            b"\x00\x01"  # its epoch
            b"\x00\x00\x00\x05"  # generation
            b"\x07member" + wire + b"\x02\x03in"  # one topic
            b"\x02\x00\x00\x00\x02"  # one partition
            b"\x00\x00\x00\x00\x00\x00\x00\x07"  # offset
            b"\xff\xff\xff\xff"  # no leader's epoch
            b"\x05note\x00\x00\x00"
        )
    )


def test_whoever_commits_as_no_member_says_so():
    offsets = TransactionOffsets("id", (9, 1), "group", OFFSETS)
    built = JoiningOffsetCommit(offsets).prepare(VERSIONS)
    assert (built.generation_id, built.member_id, built.group_instance_id) == (-1, "", None)


def test_partitions_of_one_topic_stand_together():
    offsets = {TopicPartition("in", number): NotedOffset(number) for number in range(3)}
    built = request(offsets=offsets).prepare(VERSIONS)
    ((topic, partitions, _),) = built.topics
    assert (topic, [(number, offset) for number, offset, *_ in partitions]) == (
        "in",
        [(0, 0), (1, 1), (2, 2)],
    )


def test_a_broker_that_would_refuse_nobody_is_not_asked():
    with pytest.raises(BrokerError, match=r"Kafka 2\.5"):
        request().prepare({28: (0, 2)})


@pytest.mark.parametrize(
    ("generation", "named"), [(5, 5), (0, 0), (-1, 0)], ids=["member", "first", "thrown out"]
)
def test_whoever_was_thrown_out_does_not_commit_as_if_it_had_no_group(generation, named):
    coordinator = SimpleNamespace(generation=generation, member_id="m")
    member = membership_of(SimpleNamespace(_coordinator=coordinator), "pod-1")
    assert (member.generation, member.member_id, member.instance) == (named, "m", "pod-1")


@pytest.mark.parametrize("code", [22, 25, 27, 82])
def test_a_group_that_went_on_without_the_member_fences_it(code):
    with pytest.raises(Fenced):
        classify_error([0, code])


def test_an_old_generation_is_told_apart_from_a_member_that_is_none():
    for code in (22, 27):
        with pytest.raises(GenerationRefused):
            classify_error([code])
    for code in (25, 82):
        with pytest.raises(Fenced) as refused:
            classify_error([code])
        assert not isinstance(refused.value, GenerationRefused)


async def test_a_member_that_keeps_its_partitions_hears_of_the_next_generation():
    member = Membership(5, "m")
    waiting = asyncio.create_task(member.moves_on(5))
    await asyncio.sleep(0)
    member.generation = 6
    assert await waiting


async def test_a_member_that_was_thrown_out_does_not_wait_for_the_next_generation():
    member = Membership(5, "m", is_over=True)
    assert not await member.moves_on(5)


def test_a_coordinator_that_knows_its_membership_is_believed():
    known = Membership(7, "m")
    coordinator = SimpleNamespace(generation=3, member_id="m", membership=known)
    assert membership_of(SimpleNamespace(_coordinator=coordinator), None) is known
