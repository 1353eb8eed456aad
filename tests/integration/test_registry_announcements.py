"""What `reviews model` announces reaches running workers: serving, canary, shadow, rollback."""

import asyncio

import pytest

from schemas import ModelAnnouncement, TopicNames, decode, using
from stream.kafka.topic_creation import create_topics
from stream.model.classifier import Classifier
from tests.support.command_line import reviews
from tests.support.pipeline import (
    WAIT_SECONDS,
    pipeline_settings,
    read_topic,
    running_worker,
)
from tests.support.taxonomies import bank
from tests.support.tiny_model import write_tiny_model
from training.registry.announce import announce, announcement, withdraw
from training.registry.store import Registry

pytestmark = pytest.mark.kafka


@pytest.fixture
def taxonomy(tmp_path):
    with using(bank(tmp_path / "taxonomy", 12)) as active:
        yield active


@pytest.fixture
async def topics(kafka, topic_prefix):
    await create_topics(pipeline_settings(kafka, topic_prefix))
    return TopicNames(topic_prefix)


@pytest.fixture
def registry(tmp_path):
    """Hold two versions, 1 and 2."""
    store = Registry(tmp_path / "registry", user="anna")
    for strength in (6.0, 5.0):
        write_tiny_model(tmp_path / "made", sure_logit=strength)
        store.add(tmp_path / "made")
    return store


@pytest.fixture
def settings(kafka, topics, registry):
    return pipeline_settings(kafka, topics.prefix, learning={"registry": registry.folder})


@pytest.fixture
def first(registry):
    return Classifier.load(registry.path(registry.resolve(1)), device="cpu", threads=1)


@pytest.fixture
def version(registry):
    return {n: registry.resolve(n).version for n in (1, 2)}


async def eventually(condition):
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - the worker's state has no event of its own
            await asyncio.sleep(0.02)


def swaps(worker, outcome):
    return worker.metrics.registry.get_sample_value(
        "reviews_model_swaps_total", {"outcome": outcome}
    )


async def test_promotion_and_rollback_from_the_command_line_reach_a_running_worker(
    settings, kafka, topics, registry, first, version
):
    where = ("-b", kafka, "-p", topics.prefix, "--registry", str(registry.folder))
    registry.promote(1)
    async with running_worker(settings, first) as worker:
        promoted = await asyncio.to_thread(reviews, "model", "promote", "2", *where)
        assert promoted.returncode == 0, promoted.stderr
        await eventually(lambda: worker.models.serving.version == version[2])
        await asyncio.to_thread(reviews, "model", "rollback", *where)
        await eventually(lambda: worker.models.serving.version == version[1])
    *_, last = await read_topic(kafka, topics.models, at_least=2)
    message = decode(ModelAnnouncement, last.value)
    record = registry.resolve(1)
    assert last.key == b"serving"
    assert (message.number, message.version) == (1, record.version)
    assert message.manifest_digest == record.manifest_digest
    assert message.location == str(registry.path(record))


async def test_a_model_of_categories_of_ones_own_is_promoted_and_reaches_a_running_worker(
    taxonomy, settings, kafka, topics, registry, version
):
    where = ("-b", kafka, "-p", topics.prefix, "--registry", str(registry.folder))
    chosen = {"REVIEWS_TAXONOMY": str(taxonomy.folder)}
    promoted = await asyncio.to_thread(reviews, "model", "promote", "1", *where, **chosen)
    assert promoted.returncode == 0, promoted.stderr
    serving = Classifier.load(registry.path(registry.resolve(1)), device="cpu", threads=1)
    async with running_worker(settings, serving) as worker:
        promoted = await asyncio.to_thread(reviews, "model", "promote", "2", *where, **chosen)
        assert promoted.returncode == 0, promoted.stderr
        await eventually(lambda: worker.models.serving.version == version[2])


async def test_a_worker_that_starts_later_begins_with_the_announced_model(
    settings, kafka, topics, registry, first, version
):
    await announce(settings, announcement(registry, registry.resolve(2)))
    async with running_worker(settings, first) as worker:
        await eventually(lambda: worker.ready)
        assert worker.models.serving.version == version[2]


async def test_canary_and_shadow_begin_and_end_without_touching_the_serving_model(
    settings, kafka, topics, registry, first, version
):
    second = registry.resolve(2)
    async with running_worker(settings, first) as worker:
        models = worker.models
        await announce(settings, announcement(registry, second, "canary", share=0.25))
        await announce(settings, announcement(registry, second, "shadow"))
        await eventually(lambda: models.canary is not None and models.shadow is not None)
        ids = [f"r{i}" for i in range(4000)]
        share = sum(models.choose(i) is models.canary for i in ids) / len(ids)
        assert share == pytest.approx(0.25, abs=0.03)
        assert models.serving.version == version[1]
        await withdraw(settings, "canary")
        await withdraw(settings, "shadow")
        await eventually(lambda: models.canary is None and models.shadow is None)
        assert models.serving.version == version[1]


async def test_a_canary_that_is_promoted_serves_everybody(
    settings, kafka, topics, registry, first, version
):
    second = registry.resolve(2)
    async with running_worker(settings, first) as worker:
        await announce(settings, announcement(registry, second, "canary", share=0.5))
        await eventually(lambda: worker.models.canary is not None)
        await announce(settings, announcement(registry, second))
        await eventually(lambda: worker.models.serving.version == version[2])
        assert worker.models.canary is None


async def test_a_broken_folder_is_refused_and_the_old_model_serves_on(
    settings, kafka, topics, registry, first, version
):
    message = announcement(registry, registry.resolve(2))
    graph = registry.path(registry.resolve(2)) / "model.onnx"
    graph.chmod(0o644)
    graph.write_bytes(graph.read_bytes()[:-10])
    async with running_worker(settings, first) as worker:
        await announce(settings, message)
        await eventually(lambda: swaps(worker, "refused") == 1)
        assert worker.models.serving.version == version[1]
        assert not swaps(worker, "swapped")


async def test_a_folder_that_holds_another_model_than_announced_is_refused(
    settings, kafka, topics, registry, first, version
):
    message = announcement(registry, registry.resolve(2))
    other = message.model_copy(update={"manifest_digest": "0" * 64})
    async with running_worker(settings, first) as worker:
        await announce(settings, other)
        await eventually(lambda: swaps(worker, "refused") == 1)
        assert worker.models.serving.version == version[1]
