"""Settings of the connection to Kafka, and of the topics."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from schemas.topics import Layout
from stream.settings.addresses import named_protocols, normal_servers
from stream.settings.fields import PositiveInt, Section


class KafkaSettings(Section):
    """Connection to the broker; passed through to every client."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        description="host:port, several with commas; 9092 unless a port is named.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="With SSL, TLS; with SASL, a sign-in. An address as SASL_SSL://host:9093 says it as well.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="How we sign in, where the protocol begins with SASL."
    )
    sasl_username: str | None = Field(
        None, description="For PLAIN and SCRAM; of many providers an API key."
    )
    sasl_password: SecretStr | None = Field(
        None, description="Likewise; of many providers an API key's secret."
    )
    sasl_oauth_token: SecretStr | None = Field(
        None, description="A ready bearer token, for OAUTHBEARER."
    )
    sasl_oauth_token_file: Path | None = Field(
        None, description="File with a bearer token, read anew at every connection."
    )
    sasl_oauth_token_command: str | None = Field(
        None, description="Program that prints a bearer token, run at every connection."
    )
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority to trust.")
    ssl_cert_file: Path | None = Field(None, description="PEM client certificate, for mutual TLS.")
    ssl_key_file: Path | None = Field(None, description="PEM key of the client certificate.")
    ssl_key_password: SecretStr | None = Field(
        None, description="Of the client's key, where it is encrypted."
    )
    ssl_check_hostname: bool = Field(
        True, description="The broker's certificate must be of the host that is connected to."
    )
    request_timeout_ms: PositiveInt = Field(
        10_000, description="Wait for one answer of the broker. Below the transaction time-out."
    )
    metadata_max_age_ms: PositiveInt = Field(
        30_000,
        description="How often a client asks for topics and partitions: new ones are found so late.",
    )

    _servers_are_normal = field_validator("bootstrap_servers")(normal_servers)

    @model_validator(mode="before")
    @classmethod
    def _addresses_agree_with_the_protocol(cls, given: Any) -> Any:
        """Take the protocol from addresses like ``SASL_SSL://host:9093`` where none is set."""
        if not isinstance(given, dict):
            return given
        given = dict(given)
        named = named_protocols(str(given.get("bootstrap_servers", "")))
        if len(named) > 1:
            raise ValueError(f"bootstrap_servers names several protocols: {sorted(named)}")
        for protocol in named:
            if given.setdefault("security_protocol", protocol) != protocol:
                raise ValueError(
                    f"bootstrap_servers says {protocol}://, and security_protocol is "
                    f"{given['security_protocol']}"
                )
        return given


class TopicSettings(Section):
    """Names, partitions and replication of our topics."""

    prefix: str = Field(
        "reviews",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$",
        description="What the names of our topics begin with. A second pipeline on the same Kafka needs "
        "another one, and groups of its own.",
    )
    output_suffix: str = Field(
        "",
        pattern=r"^(\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,60})?$",
        description="What topics of outcomes end with: a backfill's, as .model-7. Empty: the live.",
    )
    layout: Layout = Field(
        "categories",
        description="Where decided reviews go: `categories`, a topic a category; or `single`, one topic "
        "`<prefix>.categorized` with the slug in the header `category`, for many categories.",
    )
    incoming: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,249}$",
        description="Topic of your own that is read instead of `<prefix>.incoming`. It must exist, and "
        "is left as it is.",
    )
    partitions: PositiveInt = Field(
        4,
        description="Of every topic that `topics create` makes. Unless set, as many as the incoming "
        "topic has, where that is there.",
    )
    replication: PositiveInt = Field(
        1,
        description="3 on a production cluster. Unless set, that of the incoming topic, where that is "
        "there.",
    )
    min_insync_replicas: PositiveInt = Field(
        1,
        description="2 with a replication of 3, as it is where that is the incoming topic's.",
    )
