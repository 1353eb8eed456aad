"""A really secured broker: who gets in, and what each role may and may not do there."""

import shlex
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from stream.errors import BrokerError
from stream.kafka.connection import connection_options, start
from stream.kafka.topics import list_topics
from stream.settings import KafkaSettings
from tests.support.certificates import Authority, Issuer
from tests.support.secured import ADMIN, secured_broker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    secured = secured_broker(tmp_path_factory.mktemp("secured"))
    with secured.kafka:
        yield secured


async def test_scram_over_tls_lets_a_user_in(broker):
    assert isinstance(await list_topics(broker.as_user(ADMIN)), set)


async def test_a_wrong_password_is_said_to_be_one(broker):
    with pytest.raises(BrokerError, match="does not let us in"):
        await list_topics(broker.as_user(ADMIN, sasl_password="wrong"))


async def test_an_unknown_authority_is_said_to_be_one(broker, tmp_path):
    stranger = Authority(tmp_path, "another authority")
    with pytest.raises(BrokerError, match=r"no TLS with Kafka .* certificate"):
        await list_topics(broker.as_user(ADMIN, ssl_ca_file=stranger.file))


async def test_a_certificate_for_another_host_is_refused(broker):
    port = broker.kafka.servers_of("SECURE").rpartition(":")[2]
    with pytest.raises(BrokerError, match=r"no TLS with Kafka .*localhost"):
        await list_topics(broker.as_user(ADMIN, bootstrap_servers=f"localhost:{port}"))


async def test_a_mechanism_that_the_broker_lacks_is_named(broker):
    with pytest.raises(BrokerError, match="SCRAM-SHA-256"):
        await list_topics(broker.as_user(ADMIN, sasl_mechanism="SCRAM-SHA-256"))


async def test_a_client_certificate_lets_its_owner_in(broker):
    assert isinstance(await list_topics(broker.with_certificate(ADMIN)), set)


async def test_without_a_client_certificate_the_mutual_listener_stays_shut(broker):
    kafka = broker.with_certificate(ADMIN).model_copy(
        update={"ssl_cert_file": None, "ssl_key_file": None}
    )
    with pytest.raises(BrokerError):
        await list_topics(kafka)


def _bearer(broker, **token) -> KafkaSettings:
    return broker.as_user(
        "", sasl_mechanism="OAUTHBEARER", sasl_username=None, sasl_password=None, **token
    )


async def test_a_signed_bearer_token_lets_its_subject_in(broker):
    kafka = _bearer(broker, sasl_oauth_token=broker.issuer.token(ADMIN))
    assert isinstance(await list_topics(kafka), set)


async def test_a_token_comes_from_a_command(broker, tmp_path):
    printed = tmp_path / "token"
    printed.write_text(broker.issuer.token(ADMIN))
    command = shlex.join([sys.executable, "-c", f"print(open({str(printed)!r}).read())"])
    assert isinstance(await list_topics(_bearer(broker, sasl_oauth_token_command=command)), set)


def _write_token(file: Path, token: str) -> None:
    file.write_text(token)


async def test_a_token_file_is_read_anew_at_every_connection(broker, tmp_path):
    file = tmp_path / "token"
    kafka = _bearer(broker, sasl_oauth_token_file=file)
    _write_token(file, broker.issuer.token(ADMIN, seconds=-60))
    with pytest.raises(BrokerError, match="does not let us in"):
        await list_topics(kafka)
    _write_token(file, broker.issuer.token(ADMIN))
    assert isinstance(await list_topics(kafka), set)


async def test_a_token_that_somebody_else_signed_is_refused(broker, tmp_path):
    forged = Issuer(tmp_path, broker.issuer.issuer, broker.issuer.audience).token(ADMIN)
    with pytest.raises(BrokerError, match="does not let us in"):
        await list_topics(_bearer(broker, sasl_oauth_token=forged))


async def test_an_idempotent_producer_works_over_tls(broker):
    producer = AIOKafkaProducer(
        **connection_options(broker.as_user(ADMIN)), enable_idempotence=True
    )
    await start(producer, broker.as_user(ADMIN))
    await producer.stop()
