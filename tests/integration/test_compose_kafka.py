"""The Kafka of docker-compose.yml, as far as it can be tried without containers: who may come in."""

from pathlib import Path

import pytest
import yaml

from deploy.local import LocalKafka
from stream.errors import BrokerError
from stream.kafka.topics import list_topics
from stream.settings import KafkaSettings
from tests.support.java import SHORT_LIVED

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]
COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8"))
PASSWORD = "thecomposepassword"
LISTENER = "KAFKA_LISTENER_NAME_CLIENT_"


def given(text):
    """What compose makes of a value that names the password."""
    return text.partition("${KAFKA_PASSWORD:?")[0] + (
        PASSWORD + text.partition("}")[2] if "${KAFKA_PASSWORD:?" in text else ""
    )


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    environment = COMPOSE["services"]["kafka"]["environment"]
    # As the image does: KAFKA_A_B is the property a.b.
    properties = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): given(value)
        for name, value in environment.items()
        if name.startswith(LISTENER)
    }
    assert len(properties) == 2
    folder = tmp_path_factory.mktemp("compose")
    with LocalKafka(
        folder,
        listeners={"CLIENT": "SASL_PLAINTEXT"},
        properties=properties,
        jvm_flags=SHORT_LIVED,
    ) as running:
        yield running


def as_a_service(broker, **changes):
    """Return how our services connect there."""
    prefix = "REVIEWS_KAFKA__"
    section = {
        name.removeprefix(prefix).lower(): given(value)
        for name, value in COMPOSE["x-environment"].items()
        if name.startswith(prefix)
    }
    return KafkaSettings(**{**section, "bootstrap_servers": broker.bootstrap_servers, **changes})


async def test_our_services_come_in_with_the_password(broker):
    assert await list_topics(as_a_service(broker)) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"sasl_password": "guessed"},
        {"sasl_username": "somebody"},
        {"security_protocol": "PLAINTEXT", "request_timeout_ms": 3000},
    ],
)
async def test_nobody_else_comes_in(broker, changes):
    with pytest.raises(BrokerError):
        await list_topics(as_a_service(broker, **changes))
