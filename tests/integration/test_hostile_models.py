"""Whatever is announced on the models topic, by whomever, workers serve on; a good model is served."""

import asyncio
import itertools
import json
import signal
import time
from datetime import timedelta

import aiohttp
import pytest
import pytest_asyncio
import structlog

from schemas import TopicNames, encode
from stream.kafka.topic_creation import create_topics
from stream.model.classifier import Classifier
from stream.model.signing import new_key
from tests.support import hostile_models
from tests.support.command_line import reviews, running, wait_for_line
from tests.support.hostile_models import announcement_of
from tests.support.learning_loop import message
from tests.support.pipeline import (
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.tiny_model import write_tiny_model
from training.registry.announce import announce, announcement
from training.registry.store import Registry

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

# Two busy cores start a trial within 6 seconds; an endless graph takes all of them.
TRIAL_SECONDS = 15.0
MODEL = {"trial_seconds": TRIAL_SECONDS, "trial_memory_mb": 512, "max_folder_mb": 64}
# Stopping drains, and waits for nothing of a model that is being tried.
STOP_SECONDS = 15.0


async def eventually(condition):
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - the worker's state has no event of its own
            await asyncio.sleep(0.02)


def count(worker, outcome):
    return worker.metrics.registry.get_sample_value(
        "reviews_model_swaps_total", {"outcome": outcome}
    )


async def ready_page(worker):
    url = f"http://127.0.0.1:{worker.health.port}/readyz?verbose"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


class Scene:
    """A registry with good models, a folder for hostile ones, and one worker under attack."""

    def __init__(self, kafka, folder, prefix):
        self.kafka, self.folder = kafka, folder
        self.registry = Registry(folder / "registry", user="anna")
        for strength in (6.0, 5.0):
            write_tiny_model(folder / "made", sure_logit=strength)
            self.registry.add(folder / "made")
        self.topics = TopicNames(prefix)
        self.settings = pipeline_settings(
            kafka, prefix, model=MODEL, learning={"registry": self.registry.folder}
        )
        self.numbers = itertools.count(100)
        self.worker = None

    def first(self):
        folder = self.registry.path(self.registry.resolve(1))
        return Classifier.load(folder, device="cpu", threads=1)

    def version(self, number):
        return self.registry.resolve(number).version

    def new_folder(self):
        return self.registry.folder / "versions" / f"{next(self.numbers):06}"

    async def tell(self, *announcements, key=None):
        messages = [(key or a.role.encode(), encode(a)) for a in announcements]
        await send(self.kafka, self.topics.models, messages)

    async def is_refused(self, *announcements, words, key=None):
        worker, before = self.worker, count(self.worker, "refused")
        serving = worker.models.serving
        await self.tell(*announcements, key=key)
        await eventually(lambda: count(worker, "refused") == before + len(announcements))
        assert worker.models.serving is serving
        if key is None:
            refusal = worker._watcher.refusals[announcements[-1].role]
            assert words in refusal.reason
            status, page = await ready_page(worker)
            assert status == 200
            assert f"[i] announced serving model {refusal.version} is refused" in page
            assert words in page

    async def serves(self, number):
        """Announce a good model of the registry, and see it served."""
        worker = self.worker
        await announce(self.settings, announcement(self.registry, self.registry.resolve(number)))
        await eventually(lambda: worker.models.serving.version == self.version(number))
        await eventually(lambda: "serving" not in worker._watcher.refusals)


@pytest_asyncio.fixture(scope="module")
async def scene(kafka, tmp_path_factory):
    scene = Scene(kafka, tmp_path_factory.mktemp("hostile"), "hostilemodels")
    await create_topics(scene.settings)
    async with running_worker(scene.settings, scene.first()) as scene.worker:
        await eventually(lambda: scene.worker.ready)
        yield scene


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (hostile_models.without_self_test, "no self-test"),
        (hostile_models.memory_eater, "cannot be loaded"),
        (hostile_models.other_inputs, "ValueError"),
        (hostile_models.maps_for_logits, "TypeError"),
        (hostile_models.immense_padding, "OverflowError"),
        (hostile_models.deep_manifest, "cannot be read"),
        (hostile_models.manifest_of_another_shape, "cannot be read"),
        (hostile_models.no_graph_at_all, "cannot be loaded"),
        (hostile_models.broken_tokenizer, "cannot be loaded"),
        (hostile_models.damaged_graph, "damaged"),
        (hostile_models.huge_manifest, "larger than"),
        (hostile_models.huge_file, "MB together"),
        (hostile_models.linked_graph, "no plain file"),
        (hostile_models.pipe, "no plain file"),
        (hostile_models.file_outside, "outside"),
    ],
)
async def test_a_hostile_folder_is_refused_and_the_next_good_model_serves(scene, make, words):
    folder = scene.new_folder()
    make(folder)
    await scene.is_refused(announcement_of(folder), words=words)
    await scene.serves(2)
    await scene.serves(1)


async def test_a_folder_outside_of_the_registry_is_never_looked_at(scene):
    outside = scene.folder / "private"
    write_tiny_model(outside, sure_logit=8.0)
    by_dots = str(scene.registry.folder / "versions" / ".." / ".." / "private")
    link = scene.new_folder()
    link.symlink_to(outside)
    inner = scene.registry.folder / "linked"
    inner.symlink_to(outside.parent)
    for location, words in (
        (str(outside), "does not lie in the registry"),
        (by_dots, "does not lie in the registry"),
        ("private", "does not lie in the registry"),
        (str(scene.registry.folder), "does not lie in the registry"),
        ("/" + "x" * 5000, "does not lie in the registry"),
        (f"{scene.registry.folder}/versions/\0", "does not lie in the registry"),
        (f"{scene.registry.folder}/{'x' * 300}", "cannot be opened"),
        (str(link), "a link leads to it"),
        (str(inner / "private"), "a link leads to it"),
        (str(scene.registry.folder / "registry.json"), "is no folder"),
    ):
        await scene.is_refused(announcement_of(outside, location=location), words=words)
    await scene.serves(2)
    await scene.serves(1)


async def test_a_message_that_is_no_sound_announcement_is_refused(scene):
    folder = scene.registry.path(scene.registry.resolve(2))
    await scene.is_refused(
        announcement_of(folder, manifest_digest="0" * 64), words="does not hold the announced"
    )
    await scene.is_refused(announcement_of(folder, version="another"), words="announced is another")
    await scene.is_refused(announcement_of(folder), words="", key=b"shadow")
    assert "another role" in scene.worker._watcher.refusals["shadow"].reason
    await send(scene.kafka, scene.topics.models, [(b"shadow", None)])
    await eventually(lambda: "shadow" not in scene.worker._watcher.refusals)
    refused = count(scene.worker, "refused")
    broken = [b"{", b"\xff", b"[" * 100_000, b"[]", b'{"version": 1e999}', b"x" * 500_000]
    await send(scene.kafka, scene.topics.models, [(b"serving", value) for value in broken])
    await send(scene.kafka, scene.topics.models, [(b"\xff", b"{"), (b"", None)])
    await eventually(lambda: count(scene.worker, "refused") == refused + len(broken) + 1)
    await scene.serves(2)
    await scene.serves(1)


async def test_reviews_are_decided_while_an_endless_graph_is_tried_and_then_it_is_refused(scene):
    folder = scene.new_folder()
    hostile_models.endless_loop(folder)
    refused = count(scene.worker, "refused")
    with structlog.testing.capture_logs() as lines:
        await scene.tell(announcement_of(folder))
        await send(scene.kafka, scene.topics.incoming, [message("r1", "сапоги")])
        (record, *_) = await read_outputs(scene.kafka, scene.topics, 1)
        assert record.topic.endswith("footwear")
        assert count(scene.worker, "refused") == refused
        await scene.serves(2)  # it waits for the verdict, then it is served
    assert count(scene.worker, "refused") == refused + 1
    (said,) = [line["reason"] for line in lines if line["event"] == "model_refused"]
    assert "within 15 seconds" in said
    await scene.serves(1)


async def test_after_a_restart_the_last_good_model_serves(kafka, tmp_path, topic_prefix):
    scene = Scene(kafka, tmp_path, topic_prefix)
    await create_topics(scene.settings)
    empty = scene.new_folder()
    hostile_models.without_self_test(empty)
    good = announcement(scene.registry, scene.registry.resolve(2))
    await scene.tell(good, announcement_of(empty), announcement_of(tmp_path / "made"))
    async with running_worker(scene.settings, scene.first()) as worker:
        await eventually(lambda: worker.ready)
        assert worker.models.serving.version == scene.version(2)
        assert "does not lie in the registry" in worker._watcher.refusals["serving"].reason
        assert worker.metrics.registry.get_sample_value(
            "reviews_model_refused", {"role": "serving"}
        )


# -- signed --------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module")
async def signed(kafka, tmp_path_factory):
    scene = Scene(kafka, tmp_path_factory.mktemp("signed"), "signedmodels")
    scene.key = new_key()
    keys = {"trusted_keys": (scene.key.public_text,)}
    scene.settings = scene.settings.model_copy(
        update={"model": scene.settings.model.model_copy(update=keys)}
    )
    await create_topics(scene.settings)
    async with running_worker(scene.settings, scene.first()) as scene.worker:
        await eventually(lambda: scene.worker.ready)
        yield scene


async def test_only_what_a_trusted_key_signed_is_served(signed):
    good = announcement(signed.registry, signed.registry.resolve(2))
    ours = signed.key.sign(good)
    of_first = announcement_of(signed.registry.path(signed.registry.resolve(1)))
    attacks = [
        (good, "is not signed"),
        (new_key().sign(good), "not trusted here"),
        # The right digest of another sound model, and a signature that was right for this one.
        (of_first.model_copy(update={"signature": ours.signature}), "signature is wrong"),
        (ours.model_copy(update={"number": 7}), "signature is wrong"),
        (ours.model_copy(update={"announced_by": "somebody"}), "signature is wrong"),
        (ours.model_copy(update={"signature": f"{signed.key.id}:AAAA"}), "signature is wrong"),
        (ours.model_copy(update={"signature": f"{signed.key.id}:"}), "signature is wrong"),
        (ours.model_copy(update={"signature": "x" * 100_000}), "not trusted here"),
    ]
    for attack, words in attacks:
        await signed.is_refused(attack, words=words)
    as_canary = good.model_copy(update={"role": "canary", "canary_share": 0.01})
    changed = signed.key.sign(as_canary).model_copy(update={"canary_share": 1.0})
    refused = count(signed.worker, "refused")
    await signed.tell(changed)
    await eventually(lambda: count(signed.worker, "refused") == refused + 1)
    assert signed.worker.models.canary is None
    await signed.tell(ours)
    await eventually(lambda: signed.worker.models.serving.version == signed.version(2))


async def test_an_old_announcement_that_is_sent_again_is_refused(signed):
    first = announcement(signed.registry, signed.registry.resolve(1))
    second = announcement(signed.registry, signed.registry.resolve(2))
    old = {"announced_at": second.announced_at - timedelta(hours=1)}
    for number, announced in ((1, first), (2, second)):
        await signed.tell(signed.key.sign(announced))
        version = signed.version(number)
        await eventually(lambda v=version: signed.worker.models.serving.version == v)
    await signed.is_refused(signed.key.sign(first.model_copy(update=old)), words="was sent again")


# -- as processes --------------------------------------------------------------------------------


async def test_a_worker_that_meets_an_endless_graph_at_its_start_serves_rolls_back_and_stops(
    kafka, tmp_path, topic_prefix
):
    scene = Scene(kafka, tmp_path, topic_prefix)
    await create_topics(scene.settings)
    scene.registry.promote(1)
    endless = scene.new_folder()
    hostile_models.endless_loop(endless)
    await scene.tell(announcement_of(endless))
    where = ("-b", kafka, "-p", topic_prefix)
    registry = ("--registry", str(scene.registry.folder))
    variables = {
        "REVIEWS_LEARNING__REGISTRY": str(scene.registry.folder),
        "REVIEWS_MODEL__FOLDER": str(scene.registry.path(scene.registry.resolve(1))),
        "REVIEWS_MODEL__TRIAL_SECONDS": str(TRIAL_SECONDS),
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_LOG__FORMAT": "json",
        "REVIEWS_WORKER__GROUP": f"{topic_prefix}-workers",
    }

    def drive():
        with running("work", *where, "--port", "0", **variables) as worker:
            assert "need_no_signature" in wait_for_line(worker, "signature")
            refused = json.loads(wait_for_line(worker, "model_refused"))
            assert "within 15 seconds" in refused["reason"]
            wait_for_line(worker, "worker_started")
            for command in (("promote", "2"), ("rollback",)):
                done = reviews("model", *command, *where, *registry, **variables)
                assert done.returncode == 0, done.stderr
                swapped = json.loads(wait_for_line(worker, "model_swapped"))
                number = 2 if command[0] == "promote" else 1
                assert swapped["version"] == scene.version(number)
            asyncio.run(scene.tell(announcement_of(endless)))
            time.sleep(2)  # the trial is under way: nothing tells from outside
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0, worker.stderr.read()
            assert time.monotonic() - began < STOP_SECONDS
        with running("work", *where, "--port", "0", **variables) as worker:
            wait_for_line(worker, "signature")
            time.sleep(1)  # it tries the endless graph again
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0, worker.stderr.read()
            assert time.monotonic() - began < STOP_SECONDS

    await asyncio.to_thread(drive)
