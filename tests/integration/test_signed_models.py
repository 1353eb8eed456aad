"""Keys from the command line: made once, used to announce, and asked for by workers and doctor."""

import json

import pytest

from schemas import ModelAnnouncement, decode
from stream.model.signing import trusted_keys
from stream.settings import ModelSettings
from tests.support import hostile_models
from tests.support.command_line import assert_one_clear_line, reviews
from tests.support.pipeline import read_topic
from tests.support.tiny_model import write_tiny_model
from training.registry.store import Registry

pytestmark = pytest.mark.kafka


@pytest.fixture
def registry(tmp_path):
    store = Registry(tmp_path / "registry", user="anna")
    for strength in (6.0, 5.0):
        write_tiny_model(tmp_path / "made", sure_logit=strength)
        store.add(tmp_path / "made")
    return store


@pytest.fixture
def keys(tmp_path):
    made = reviews("model", "keygen", str(tmp_path / "keys"), "--json")
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


@pytest.fixture
def variables(kafka, topics, registry):
    return {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": topics.prefix,
        "REVIEWS_LEARNING__REGISTRY": str(registry.folder),
        "REVIEWS_MODEL__FOLDER": str(registry.path(registry.resolve(1))),
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_HTTP__PORT": "0",
    }


def doctor(variables):
    said = json.loads(reviews("doctor", "--json", **variables).stdout)
    return {finding["name"]: finding for finding in said}


def test_a_pair_of_keys_is_made_once(tmp_path, keys):
    private, public = keys["files"]
    assert (tmp_path / "keys" / "model-signing.key").stat().st_mode & 0o777 == 0o600
    with open(public) as file:  # noqa: PTH123 - as anybody reads it
        assert file.read().strip() == keys["public"]
    again = reviews("model", "keygen", str(tmp_path / "keys"))
    assert_one_clear_line(again, 2, "not replaced")
    with open(private) as file:  # noqa: PTH123
        assert file.read().strip() not in reviews("model", "keygen", str(tmp_path / "b")).stdout


async def test_what_is_promoted_is_signed_and_the_doctor_says_what_counts(
    kafka, topics, variables, keys
):
    trusting = variables | {"REVIEWS_MODEL__TRUSTED_KEYS": json.dumps([keys["public"]])}
    signing = trusting | {"REVIEWS_LEARNING__SIGNING_KEY_FILE": keys["files"][0]}
    unsigned = reviews("model", "promote", "1", **variables)
    assert unsigned.returncode == 0, unsigned.stderr
    assert doctor(variables)["signing"]["state"] == "warning"
    assert doctor(variables)["announced"]["state"] == "ok"
    refused = doctor(trusting)
    assert refused["signing"]["state"] == "ok"
    assert "not signed" in refused["announced"]["detail"]
    assert "announce" in refused["announced"]["remedy"]
    without_key = reviews("model", "announce", **trusting)
    assert_one_clear_line(without_key, 2, "not signed", "SIGNING_KEY_FILE")
    again = reviews("model", "announce", **signing)
    assert again.returncode == 0, again.stderr
    assert doctor(signing)["announced"]["state"] == "ok"
    *_, last = await read_topic(kafka, topics.models, at_least=2)
    trusted = trusted_keys(ModelSettings(trusted_keys=(keys["public"],)))
    trusted.check(decode(ModelAnnouncement, last.value))


def test_another_key_than_the_workers_trust_announces_nothing(tmp_path, variables, keys):
    other = json.loads(reviews("model", "keygen", str(tmp_path / "other"), "--json").stdout)
    mixed = variables | {
        "REVIEWS_MODEL__TRUSTED_KEYS": json.dumps([keys["public"]]),
        "REVIEWS_LEARNING__SIGNING_KEY_FILE": other["files"][0],
    }
    assert_one_clear_line(reviews("model", "shadow", "2", **mixed), 2, "not trusted")
    assert doctor(mixed)["signing"]["state"] == "failed"


def test_a_model_that_workers_would_refuse_is_not_promoted(tmp_path, registry, variables):
    hostile_models.endless_loop(tmp_path / "endless")
    registry.add(tmp_path / "endless")
    registry.promote(1)
    done = reviews("model", "promote", "3", REVIEWS_MODEL__TRIAL_SECONDS="6", **variables)
    assert_one_clear_line(done, 3, "within 6 seconds")
    assert registry.state().champion == 1
