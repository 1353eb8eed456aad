"""A backfill on a real broker: from a time on, onto topics of its own, each review once."""

import json
import time

import pytest

from tests.support.command_line import reviews
from tests.support.pipeline import send
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.kafka


@pytest.fixture
def variables(kafka, topic_prefix, tmp_path):
    write_tiny_model(tmp_path / "model")
    given = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": topic_prefix,
        "REVIEWS_MODEL__FOLDER": str(tmp_path / "model"),
        "REVIEWS_CACHE__URL": "",
    }
    assert reviews("topics", "create", **given).returncode == 0
    return given


def text_of(review_id, text):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text}).encode()


def backfill(since, *arguments, **variables):
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(since))
    command = ("backfill", "--from", moment, "--to-topic-suffix", "new", "--json", *arguments)
    result = reviews(*command, **variables)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def drained(**variables):
    result = reviews("consume", "--drain", "--json", **variables)
    assert result.returncode == 0, result.stderr
    return [json.loads(line)["review"]["review_id"] for line in result.stdout.splitlines()]


async def test_past_reviews_go_to_topics_of_their_own_each_once(kafka, topic_prefix, variables):
    incoming = f"{topic_prefix}.incoming"
    await send(kafka, incoming, [text_of(f"r{i}", "платье") for i in range(20)])
    yesterday = time.time() - 86_400

    planned = backfill(yesterday, "--dry-run", **variables)
    first = backfill(yesterday, **variables)
    again = backfill(yesterday, **variables)

    assert planned["events"] == first["events"] == 20
    assert (again["events"], again["resumed"]) == (0, True)
    found = drained(**variables, REVIEWS_TOPICS__OUTPUT_SUFFIX=".new")
    assert sorted(found) == sorted(f"r{i}" for i in range(20))
    assert drained(**variables) == []


async def test_reviews_from_before_the_time_are_left_out(kafka, topic_prefix, variables):
    await send(kafka, f"{topic_prefix}.incoming", [text_of("old", "платье")])
    assert backfill(time.time() + 3_600, "--dry-run", **variables)["events"] == 0
