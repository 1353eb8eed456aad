"""`reviews topics update`: what falls short of the contract is set, and nothing else."""

import json

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.errors import TopicMissing
from stream.kafka.topic_creation import create_topics
from stream.kafka.topics import topic_configs
from tests.support.command_line import reviews
from tests.support.pipeline import pipeline_settings

pytestmark = pytest.mark.kafka

MONTH_MS = "2592000000"
YEAR_MS = "31536000000"
# As an older release made it, but kept for a year, and with a setting that the contract says nothing of.
OLD = {
    "retention.ms": YEAR_MS,
    "message.timestamp.type": "CreateTime",
    "max.message.bytes": "5000000",
}


@pytest.fixture
async def settings(kafka, topic_prefix):
    made = pipeline_settings(kafka, topic_prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(made.topic_names.incoming, 4, 1, topic_configs=OLD),
                NewTopic(made.topic_names.relabel, 4, 1, topic_configs={"retention.ms": "1000"}),
            ]
        )
    finally:
        await admin.close()
    await create_topics(made)
    return made


async def configs(settings):
    names = settings.topic_names
    return await topic_configs(settings.kafka, [names.incoming, names.relabel, names.labels])


def update(settings, *arguments):
    done = reviews(
        *("topics", "update", "--json", *arguments),
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=settings.kafka.bootstrap_servers,
        REVIEWS_TOPICS__PREFIX=settings.topics.prefix,
    )
    assert done.returncode == 0, done.stderr
    return {(change["topic"], change["setting"]) for change in json.loads(done.stdout)}


async def test_what_falls_short_is_set_and_what_somebody_set_otherwise_stays(settings):
    names = settings.topic_names
    before = await configs(settings)
    short = {
        (names.incoming, "message.timestamp.type"),
        (names.relabel, "message.timestamp.type"),
        (names.relabel, "retention.ms"),
    }

    assert update(settings, "--dry-run") == short
    assert await configs(settings) == before

    assert update(settings) == short
    after = await configs(settings)
    assert after[names.incoming] == before[names.incoming] | {
        "message.timestamp.type": "LogAppendTime"
    }
    assert after[names.relabel] == before[names.relabel] | {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": MONTH_MS,
    }
    assert after[names.labels] == before[names.labels]
    assert update(settings) == set()


def test_where_no_topic_is_there_nobody_is_told_that_all_is_well(kafka, topic_prefix):
    done = reviews(
        *("topics", "update"),
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
        REVIEWS_TOPICS__PREFIX=topic_prefix,
    )
    assert done.returncode == TopicMissing.exit_code
    assert topic_prefix in done.stderr
    assert "reviews topics create" in done.stderr
