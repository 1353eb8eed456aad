"""The queue's fold in Redis holds the label that schemas/standing.py holds, in whatever order they come."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from schemas import Category, Label, TopicNames, highest
from stream.queue.record_seal import RecordSeal
from stream.queue.records import label_record
from stream.queue.redis_scripts import connect_to
from stream.queue.sealed_scripts import SealedScripts

pytestmark = pytest.mark.kafka
START = datetime(2026, 1, 1, tzinfo=UTC)
# By whom, revision, minutes after the start, withdrawn.
SAID = [
    [("ensemble", 1, 5, False), ("person", 1, 0, False)],
    [("llm", 1, 0, False), ("ensemble", 1, 0, False), ("model", 1, 9, False)],
    [("person", 2, 0, False), ("ensemble", 1, 9, False), ("person", 3, 1, True)],
    [("person", 2, 3, False), ("person", 2, 4, False), ("llm", 3, 0, False)],
]


def labels(said):
    return [
        Label(
            review_id="r1",
            text="сапоги малы",
            category=None if withdrawn else Category("footwear"),
            decided_by=by,
            labeller=f"{by}-{revision}",
            codebook_version="1",
            revision=revision,
            decided_at=START + timedelta(minutes=minutes),
            withdrawn=withdrawn,
        )
        for by, revision, minutes, withdrawn in said
    ]


@pytest.fixture
async def scripts(redis_url, topic_prefix):
    redis = connect_to(redis_url, None)
    topics = TopicNames(prefix=topic_prefix)
    yield SealedScripts(redis, topics, RecordSeal("a secret of this test", topics))
    await redis.aclose()


async def filed(scripts, found):
    """Return what Redis holds after some labels, each filed twice, as after a restart."""
    await scripts.redis.delete(*map(scripts.key, ("decided", "offset", "present")))
    for offset, label in enumerate(found):
        record = label_record(label, scripts.seal)
        expected = str(2 * offset) if offset else ""
        await scripts.run("consume", "label", "labels:0", expected, 2 * offset + 2, record, record)
    kept = await scripts.redis.hget(scripts.key("decided"), "r1")
    return json.loads(scripts.seal.open("label", "r1", kept))


@pytest.mark.parametrize("said", SAID)
async def test_every_order_comes_to_the_label_that_holds(said, scripts):
    known = labels(said)
    holds = highest(known)["r1"]
    for order in itertools.permutations(known):
        found = await filed(scripts, order)
        assert (found["who"], found["withdrawn"]) == (holds.labeller, holds.withdrawn)
