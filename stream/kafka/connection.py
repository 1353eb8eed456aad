"""Kafka connections: one place that turns settings into client options, TLS and SASL included."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, TypedDict

import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from stream.errors import BrokerError, ConfigError
from stream.kafka.private import TrialConnection, understand_connections
from stream.kafka.reachability import host_and_port, referral
from stream.kafka.tokens import token_provider
from stream.settings import KafkaSettings
from stream.tls import client_context

_log = structlog.get_logger(__name__)

understand_connections()


class ConnectionOptions(TypedDict, total=False):
    """Options that every aiokafka client takes."""

    bootstrap_servers: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None
    sasl_oauth_token_provider: AbstractTokenProvider | None
    request_timeout_ms: int
    metadata_max_age_ms: int


def connection_options(kafka: KafkaSettings) -> ConnectionOptions:
    """Return the options for any aiokafka client: ``AIOKafkaConsumer(**connection_options(...))``.

    Raises:
        ConfigError: TLS or SASL is demanded and what it needs is absent or unreadable.
    """
    options = ConnectionOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        request_timeout_ms=kafka.request_timeout_ms,
        metadata_max_age_ms=kafka.metadata_max_age_ms,
    )
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = _tls(kafka)
    if kafka.security_protocol.startswith("SASL"):
        options.update(_sasl(kafka))
    return options


def one_connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the options of a single connection, an ``AIOKafkaConnection``.

    Raises:
        ConfigError: as of :func:`connection_options`.
    """
    return without_client(connection_options(kafka))


def without_client(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a client that a single connection of it takes as well."""
    of_clients = {"bootstrap_servers", "metadata_max_age_ms"}
    return {name: value for name, value in options.items() if name not in of_clients}


def _tls(kafka: KafkaSettings) -> ssl.SSLContext:
    context = client_context(
        "Kafka",
        "kafka",
        authority=kafka.ssl_ca_file,
        certificate=kafka.ssl_cert_file,
        key=kafka.ssl_key_file,
        key_password=kafka.ssl_key_password,
    )
    context.check_hostname = kafka.ssl_check_hostname
    return context


def _sasl(kafka: KafkaSettings) -> ConnectionOptions:
    options = ConnectionOptions(sasl_mechanism=kafka.sasl_mechanism)
    if kafka.sasl_mechanism == "OAUTHBEARER":
        options["sasl_oauth_token_provider"] = token_provider(kafka)
        return options
    if not kafka.sasl_username or kafka.sasl_password is None:
        raise ConfigError(
            f"{kafka.sasl_mechanism} needs a user and a password",
            "set REVIEWS_KAFKA__SASL_USERNAME and REVIEWS_KAFKA__SASL_PASSWORD",
        )
    options["sasl_plain_username"] = kafka.sasl_username
    options["sasl_plain_password"] = kafka.sasl_password.get_secret_value()
    return options


def unreachable(kafka: KafkaSettings, error: KafkaError | OSError) -> BrokerError:
    """Return the error that a person should see when a client could not be started."""
    servers = kafka.bootstrap_servers
    if isinstance(error, KafkaConnectionError | OSError):
        return BrokerError(
            f"no Kafka broker answers at {servers}",
            "start one with `reviews up`, or set REVIEWS_KAFKA__BOOTSTRAP_SERVERS",
        )
    return BrokerError(f"Kafka at {servers} refused: {error}", "`reviews doctor` says more")


async def start(client: Any, kafka: KafkaSettings) -> None:
    """Start an aiokafka client; close it again when it cannot be started.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    try:
        # aiokafka does not hear that a token is refused, and would ask in vain for ever.
        if _bears_token(kafka) and (refused := await _refused(kafka)):
            raise refused
        await _require_reachable(kafka)
        await client.start()
    except asyncio.CancelledError:
        await _close(client)
        raise
    except (BrokerError, KafkaError, OSError) as error:
        await _close(client)
        if isinstance(error, BrokerError):
            raise
        raise await _refused(kafka) or unreachable(kafka, error) from None


async def _close(client: Any) -> None:
    close = getattr(client, "stop", None) or client.close
    await close()


# Where a process has once come to the brokers it need not knock before every client.
_reached: set[str] = set()


async def _require_reachable(kafka: KafkaSettings) -> None:
    """Check, once a process, that the brokers are where they say they are.

    Raises:
        BrokerError: none of them is. aiokafka would ask them in vain for ever.
    """
    if kafka.bootstrap_servers in _reached:
        return
    found = await referral(kafka.bootstrap_servers, one_connection(kafka))
    if found is None:
        return
    if (error := found.error()) is not None:
        raise error
    for where, why in found.unreachable.items():
        _log.warning("broker_unreachable", server=found.server, sent_to=where, why=why)
    _reached.add(kafka.bootstrap_servers)


def _bears_token(kafka: KafkaSettings) -> bool:
    return kafka.security_protocol.startswith("SASL") and kafka.sasl_mechanism == "OAUTHBEARER"


async def _refused(kafka: KafkaSettings) -> BrokerError | None:
    """Knock once more and say why we are not let in; None: that is not the trouble.

    aiokafka logs the reason and raises only that it cannot connect.
    """
    if kafka.security_protocol == "PLAINTEXT":
        return None
    server = kafka.bootstrap_servers.split(",")[0]
    try:
        connection = TrialConnection(*host_and_port(server), **one_connection(kafka))
        await connection.connect()
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        return BrokerError(
            f"no TLS with Kafka at {server}: {reason}",
            "check REVIEWS_KAFKA__SSL_CA_FILE, the name in the broker's certificate, and that it "
            "is the TLS port",
        )
    except (AuthenticationFailedError, SaslAuthenticationFailed, IllegalSaslStateError) as error:
        return BrokerError(
            f"Kafka at {server} does not let us in: {error}",
            "check user and password, or the token, of REVIEWS_KAFKA__SASL_*",
        )
    except UnsupportedSaslMechanismError:
        return BrokerError(
            f"Kafka at {server} does not take {kafka.sasl_mechanism}",
            "set REVIEWS_KAFKA__SASL_MECHANISM to one that it offers",
        )
    except (KafkaError, OSError, ValueError):
        return None
    connection.close()
    return None
