"""A topic of somebody's own, with its own name, partitions, settings and messages, is what is sorted."""

import asyncio
import json

import pytest
from aiokafka.admin import NewTopic

from schemas import BatchSummary, DeadLetterReason, Review, decode, encode
from stream.acl import role_rules
from stream.bench.cluster import fresh_topics
from stream.cli import incoming_check
from stream.cli.demo import Servers
from stream.cli.demo import _settings as demo_settings
from stream.cli.incoming_check import incoming_messages
from stream.demo.run import worker_environment
from stream.errors import ConfigError, TopicMissing
from stream.kafka.clients import admin_client
from stream.kafka.read_to_end import records_of
from stream.kafka.topic_creation import create_topics
from stream.kafka.topic_descriptions import describe_topics, uneven_partitions
from stream.kafka.topics import await_leaders, list_topics, partitions_of, topic_configs
from stream.operations.erasure import Eraser
from stream.settings import load_settings
from tests.support.command_line import reviews
from tests.support.pipeline import (
    WAIT_SECONDS,
    by_topic,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka
BOOTS = "сапоги на каждый день"
THEIRS = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}


def ticket(number, body=BOOTS, customer="C-7"):
    made = {"number": number, "opened": 1_764_234_900_000, "tags": ["web"]}
    if body is not None:
        made["body"] = body
    return customer.encode(), json.dumps({"ticket": made, "customer": {"id": customer}}).encode()


async def read_all(settings, topic):
    """Return all committed records of a topic."""
    partitions = await partitions_of(settings.kafka, topic)
    return [record async for record in records_of(settings.kafka, partitions)]


@pytest.fixture
async def settings(kafka, topic_prefix):
    """Settings that name a topic of three partitions, which is there already."""
    made = pipeline_settings(
        kafka,
        topic_prefix,
        topics={"incoming": f"{topic_prefix}-tickets.v2"},
        incoming={
            "text_field": "ticket.body",
            "id_field": "ticket.number",
            "created_field": "ticket.opened",
            "metadata_fields": "customer.id, ticket.tags, ticket.absent",
        },
    )
    admin = admin_client(made.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(made.topics.incoming, 3, 1, topic_configs=THEIRS)])
    await admin.close()
    async with asyncio.timeout(WAIT_SECONDS):  # until the broker lists it
        await await_leaders(made.kafka, [made.topics.incoming])
    return made


async def test_it_is_read_from_its_beginning_and_every_count_adds_up(kafka, settings, tmp_path):
    names = settings.topic_names
    backlog = [ticket(number, f"{BOOTS} {number}") for number in range(20)]
    await send(kafka, names.incoming, [*backlog, ticket(90, None), (b"C-7", b"no JSON")])
    contract = (b"r1", encode(Review(review_id="r1", text=BOOTS)))
    await create_topics(settings)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        await send(kafka, names.incoming, [contract, (b"C-7", None)])
        found = by_topic(await read_outputs(kafka, names, 23))
    # Drained: all is committed, and no summary can be late.
    batches = await read_all(settings, names.batches)
    summed = [decode(BatchSummary, record.value) for record in batches]
    dead = [DeadLetterReason.from_headers(r.headers).code for r in found.pop(names.dead_letter)]
    assert sorted(dead) == ["not-json", "wrong-shape"]
    reviews = [json.loads(r.value)["review"] for records in found.values() for r in records]
    assert sorted(review["review_id"] for review in reviews) == sorted(["r1", *map(str, range(20))])
    first = next(review for review in reviews if review["review_id"] == "0")
    assert first["created_at"].startswith("2025-11-27T09:15")
    assert first["metadata"] == {"customer.id": "C-7", "ticket.tags": '["web"]'}
    assert {json.loads(r.value)["source"]["topic"] for rs in found.values() for r in rs} == {
        names.incoming
    }
    assert (sum(batch.dead for batch in summed), sum(batch.deleted for batch in summed)) == (2, 1)


async def test_our_topics_get_its_partitions_and_it_is_left_as_it_is(settings):
    outcomes = {topic.name: topic.outcome for topic in await create_topics(settings)}
    assert outcomes.pop(settings.topics.incoming) == "exists"
    assert set(outcomes.values()) == {"created"}
    found = {topic.name: topic for topic in await describe_topics(settings)}
    assert {t.partitions for t in found.values()} == {1, 3}  # 1: models, guard
    assert not uneven_partitions(found.values(), settings.topic_names)
    assert not any(topic.problems for topic in found.values())
    (config,) = (await topic_configs(settings.kafka, [settings.topics.incoming])).values()
    assert THEIRS.items() <= config.items()


async def test_one_that_is_not_there_is_not_made(kafka, topic_prefix):
    settings = pipeline_settings(kafka, topic_prefix, topics={"incoming": "no-such-topic"})
    with pytest.raises(TopicMissing, match="no-such-topic does not exist") as refused:
        await create_topics(settings)
    assert "REVIEWS_TOPICS__INCOMING" in refused.value.remedy
    assert {topic.exists for topic in await describe_topics(settings)} == {False}


async def test_an_erasure_finds_what_stands_there_in_its_own_shape(kafka, settings):
    await create_topics(settings)
    names = settings.topic_names
    # The key of another customer's tickets is the number of one: it names a customer.
    await send(kafka, names.incoming, [ticket(4711), ticket(4712), ticket(5, customer="4711")])
    await send(kafka, names.dead_letter, [ticket(4711, None), ticket(5, None)])
    (done,) = await Eraser(settings, dry_run=True).run(["4711"])
    assert {topic.topic: topic.records for topic in done.topics} == {
        names.incoming: 1,
        names.dead_letter: 1,
    }
    told = reviews(
        *("erase", "4711", "--dry-run"),
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
        REVIEWS_TOPICS__PREFIX=names.prefix,
        REVIEWS_TOPICS__INCOMING=names.incoming,
        REVIEWS_INCOMING__TEXT_FIELD="ticket.body",
        REVIEWS_INCOMING__ID_FIELD="ticket.number",
        REVIEWS_CACHE__URL="",
    )
    (line,) = [line for line in told.stdout.splitlines() if names.incoming in line]
    assert "KEPT by the broker" in line


async def test_a_benchmark_or_a_demo_neither_writes_there_nor_takes_it_away(settings, monkeypatch):
    async with fresh_topics(settings, partitions=1) as bench:
        assert bench.topic_names.incoming.startswith("bench-")
    assert settings.topics.incoming in await list_topics(settings.kafka)
    monkeypatch.setenv("REVIEWS_TOPICS__INCOMING", settings.topics.incoming)
    servers = Servers(settings.kafka.bootstrap_servers, None, embedded=False, stay=True)
    demo = demo_settings(servers)
    assert demo.topic_names.incoming == f"{demo.topics.prefix}.incoming"
    assert worker_environment(demo)["REVIEWS_TOPICS__INCOMING"] == ""


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        ("worker", {"read"}),
        ("producer", {"write"}),
        ("monitor", {"describe"}),
        ("operator", {"read", "write", "describe", "describe_configs"}),
    ],
)
def test_a_role_gets_the_least_rights_on_it(role, wanted):
    theirs = load_settings(topics={"incoming": "tickets"})
    rules = [rule for rule in role_rules(role, theirs) if rule.name == "tickets"]
    assert {op.name.lower() for rule in rules for op in rule.operations} == wanted


async def test_doctor_says_when_reading_takes_too_long_and_not_that_no_broker_answers(
    settings, monkeypatch
):
    monkeypatch.setattr(incoming_check, "_SECONDS", 0)
    (finding,) = await incoming_messages(settings)
    assert (finding.state, "could not be read within 0 s" in finding.detail) == ("skipped", True)


async def test_doctor_tells_before_a_worker_does_whether_what_stands_there_can_be_read(
    kafka, settings
):
    (nothing,) = await incoming_messages(settings)
    assert (nothing.state, nothing.detail[:7]) == ("skipped", "nothing")
    sent = [ticket(number) for number in range(8)]
    await send(kafka, settings.topics.incoming, [*sent, (b"k", None), (b"k", b"no JSON")])

    async def told(**changes):
        incoming = settings.incoming.model_copy(update=changes)
        (finding,) = await incoming_messages(settings.model_copy(update={"incoming": incoming}))
        return finding.state, finding.detail

    state, detail = await told()
    assert state == "ok"
    assert (
        "can be read, 1 say that something was deleted, 1 would be dead letters (the value is not JSON"
        in detail
    )
    state, detail = await told(text_field="ticket.text")
    assert state == "warning"
    assert "none at ticket.text" in detail
    assert "ticket.number" in detail
    assert BOOTS not in detail
    state, detail = await told(id_field="customer.id")
    assert state == "warning"
    assert "the same id" in detail
    assert "cannot be read" in (await told(created_field="ticket.tags"))[1]


@pytest.mark.parametrize("own", ["x.category.footwear", "x.relabel", "x.dead-letter", "x.labels"])
def test_what_a_pipeline_writes_it_does_not_read(own):
    with pytest.raises(ConfigError, match=f"names {own}, to which this pipeline writes itself"):
        load_settings(topics={"prefix": "x", "incoming": own})
