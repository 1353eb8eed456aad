"""Which model a worker begins with where its folder's is of other categories than the taxonomy."""

import json

import pytest

from schemas import encode, using
from stream.model.beginning import model_to_begin_with, serving_manifest
from stream.model.folder import OtherCategories
from stream.model.signing import new_key
from tests.support.command_line import reviews
from tests.support.hostile_models import announcement_of
from tests.support.pipeline import pipeline_settings, send
from tests.support.taxonomies import bank
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.kafka


@pytest.fixture
def registry(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def of_other_categories(tmp_path):
    with using(bank(tmp_path / "bank")):
        write_tiny_model(tmp_path / "other")
    return tmp_path / "other"


@pytest.fixture
def good(registry):
    return write_tiny_model(registry / "good").version


@pytest.fixture
def settings(kafka, topics, registry, of_other_categories):
    def make(**model):
        return pipeline_settings(
            kafka,
            topics.prefix,
            learning={"registry": registry},
            model={"folder": of_other_categories, **model},
        )

    return make


async def announce(kafka, topics, folder, key=b"serving"):
    await send(kafka, topics.models, [(key, encode(announcement_of(folder)))])


async def test_the_announced_one_serves(kafka, topics, registry, settings, good):
    await announce(kafka, topics, registry / "good")
    assert (await model_to_begin_with(settings())).version == good


async def test_of_several_the_last_that_can_be_served(
    kafka, topics, registry, settings, good, of_other_categories
):
    await announce(kafka, topics, registry / "good")
    await announce(kafka, topics, of_other_categories)
    assert (await model_to_begin_with(settings())).version == good


@pytest.mark.parametrize(
    "model",
    [
        pytest.param({"watch": False}, id="announcements are not followed"),
        pytest.param({"trusted_keys": [new_key().public_text]}, id="nobody trusted signed it"),
    ],
)
async def test_none_that_a_worker_would_not_take_later(
    kafka, topics, registry, settings, good, model
):
    await announce(kafka, topics, registry / "good")
    with pytest.raises(OtherCategories):
        await model_to_begin_with(settings(**model))


async def test_none_that_is_announced_in_another_role(kafka, topics, registry, settings, good):
    canary = announcement_of(registry / "good", role="canary", canary_share=0.5)
    await send(kafka, topics.models, [(b"serving", encode(canary)), (b"canary", encode(canary))])
    with pytest.raises(OtherCategories):
        await model_to_begin_with(settings())


async def test_without_any_the_folder_is_the_error(settings):
    with pytest.raises(OtherCategories, match="categories are not those of the taxonomy"):
        await model_to_begin_with(settings())


async def test_what_was_promised_is_what_the_announced_one_promises(
    kafka, topics, registry, settings, good
):
    await announce(kafka, topics, registry / "good")
    assert (await serving_manifest(settings())).version == good


async def test_without_any_it_is_what_the_folder_promises(kafka, topics, registry, settings, good):
    of_folder = settings(folder=registry / "good")
    assert (await serving_manifest(of_folder)).version == good
    with pytest.raises(OtherCategories):
        await serving_manifest(settings())


async def test_the_doctor_says_which_it_is(kafka, topics, registry, of_other_categories, good):
    await announce(kafka, topics, registry / "good")
    said = reviews(
        *("doctor", "--json", "-b", kafka, "-p", topics.prefix),
        REVIEWS_LEARNING__REGISTRY=str(registry),
        REVIEWS_MODEL__FOLDER=str(of_other_categories),
    )
    model = next(look for look in json.loads(said.stdout) if look["name"] == "model")
    assert model["state"] == "warning"
    assert f"begin with the announced {good}" in model["detail"]
