"""Somebody who can write into Redis, and read all that it holds, decides no review's category."""

import json
import struct

import numpy as np
import pytest
import redis

from schemas import Category, all_categories, category_count
from stream.model.classifier import Classifier
from stream.seal import Seal
from stream.text import fingerprint, normalize
from stream.worker.cache import KEY_PREFIX, CachedPrediction, pack
from tests.support.pipeline import (
    create_topics,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
    tiny_folder,
)
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.kafka
UNSURE = "звоните мне домой"
TEXTS = {"unsure": UNSURE, "boots": "сапоги", "dress": "платье"}
# What the tiny model says of them.
RIGHT = {"unsure": None, "boots": all_categories()[1], "dress": all_categories()[2]}
SURE = CachedPrediction(np.eye(category_count(), dtype=np.float32)[7], tokens=1, unknown=0)


def swapped(held):
    """Give each key another one's value, sealed and all."""
    values = [*held.values()]
    return dict(zip(held, values[1:] + values[:1], strict=True))


def rewritten(held):
    """Keep names and seal, and put other probabilities between them."""
    numbers = np.eye(category_count(), dtype="<f4")[7].tobytes()
    return {key: value[:51] + numbers + value[51 + len(numbers) :] for key, value in held.items()}


def sealed_by_another_key(held):
    return {key: _packed(Seal("guessed", b"prediction cache"), key) for key in held}


def sealed_by_no_key(held):
    return {key: _packed(Seal("", b"prediction cache"), key) for key in held}


def of_the_former_format(held):
    layout = struct.Struct(f"<3s16s32s{category_count()}fHH")
    forged = {}
    for key in held:
        *_, version, print_ = key.split(b":")
        value = layout.pack(b"RP1", version, print_, *SURE.probabilities.tolist(), 1, 0)
        forged |= {key: value, b":".join((KEY_PREFIX.rstrip(":").encode(), version, print_)): value}
    return forged


def _packed(seal, key):
    *_, version, print_ = key.decode().split(":")
    return pack(seal, version, print_, SURE)


ATTACKS = [swapped, rewritten, sealed_by_another_key, sealed_by_no_key, of_the_former_format]


def decided(names, records):
    """Return by id the category that a review was published with, None where it is to be asked."""
    found = {}
    for record in records:
        assert record.topic != names.dead_letter
        value = json.loads(record.value)
        found[record.key.decode()] = (
            None if record.topic == names.relabel else Category(value["category"])
        )
    return found


async def test_no_forged_value_reaches_a_topic(kafka, topic_prefix, redis_url, tmp_path):
    write_tiny_model(tiny_folder(tmp_path))
    settings = pipeline_settings(
        kafka, topic_prefix, redis_url, cache={"breaker_failures": 1000, "timeout": 5.0}
    )
    names = settings.topic_names
    await create_topics(kafka, names)
    events = [
        (name.encode(), json.dumps({"review_id": name, "text": text}).encode())
        for name, text in TEXTS.items()
    ]
    prints = {fingerprint(normalize(text)).encode() for text in TEXTS.values()}
    with redis.Redis.from_url(redis_url) as client:
        async with running_worker(settings, Classifier.load(tiny_folder(tmp_path))) as worker:

            def lookups(result):
                return worker.metrics.cache_lookups.labels(result)._value.get()

            await send(kafka, names.incoming, events)
            assert decided(names, await read_outputs(kafka, names, 3)) == RIGHT
            honest = {key: client.get(key) for key in client.scan_iter(f"{KEY_PREFIX}*")}
            assert {key.rpartition(b":")[2] for key in honest} == prints
            await send(kafka, names.incoming, events)
            await read_outputs(kafka, names, 6)
            assert lookups("hit") == 3, "the control: honest values are believed"
            for number, attack in enumerate(ATTACKS, start=3):
                errors = lookups("error")
                client.mset(attack(honest))
                await send(kafka, names.incoming, events)
                records = await read_outputs(kafka, names, 3 * number)
                assert decided(names, records) == RIGHT, attack.__name__
                assert lookups("error") > errors, f"{attack.__name__} was not even read"
            assert lookups("hit") == 3
