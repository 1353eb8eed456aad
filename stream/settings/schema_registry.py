"""Settings of the connection to a schema registry, for reviews in Avro or Protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from stream.settings.fields import Names, PositiveSeconds, Section


class SchemaRegistrySettings(Section):
    """Where schemas of incoming messages are asked for: Confluent's interface, which others have as well."""

    url: Names = Field(
        (),
        description="Its address, as https://registry:8081; several, parted by commas, are asked in turn. "
        "Apicurio: https://host/apis/ccompat/v7. Empty: Avro and Protobuf are not read.",
    )
    username: str | None = Field(None, description="For basic authentication; an API key.")
    password: SecretStr | None = Field(None, description="Likewise; an API key's secret.")
    token: SecretStr | None = Field(
        None, description="A bearer token, which is used instead of these."
    )
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority to trust.")
    ssl_cert_file: Path | None = Field(None, description="PEM client certificate, for mutual TLS.")
    ssl_key_file: Path | None = Field(None, description="PEM key of the client certificate.")
    ssl_key_password: SecretStr | None = Field(
        None, description="Of the client's key, where it is encrypted."
    )
    timeout: PositiveSeconds = Field(5.0, description="Seconds to wait for one answer.")

    @field_validator("url")
    @classmethod
    def _urls_name_hosts(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            try:
                parts = urlsplit(url)
                usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
            except ValueError:
                usable = False
            if not usable or parts.query or parts.fragment:
                raise ValueError(
                    "an address is http://host:port or https://host:port, with a path or none"
                )
            if parts.username is not None or parts.password is not None:
                raise ValueError("an address holds no password: username and password are settings")
        return tuple(url.rstrip("/") for url in urls)

    @model_validator(mode="after")
    def _a_name_has_a_password(self) -> Self:
        if self.username is not None and self.password is None:
            raise ValueError("a username needs a password")
        return self
