"""A secured broker with a user for every role, and settings to come in as one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import LocalKafka
from stream.acl import ROLES
from stream.settings import KafkaSettings
from tests.support.certificates import Authority, Issuer
from tests.support.secured_servers import MUTUAL, SECURE, Keys, TokenIssuer, secured_kafka

ADMIN = "admin"


def password_of(user: str) -> str:
    """Return a password that nothing else in a test's output looks like."""
    return f"pw-{user}-7c1f"


@dataclass
class SecuredBroker:
    """The broker, its authority, and the issuer of its tokens."""

    kafka: LocalKafka
    authority: Authority
    issuer: Issuer

    def settings_of(self, user: str, **changes: Any) -> dict[str, Any]:
        """Return the ``kafka`` section for a SCRAM user."""
        return {
            "bootstrap_servers": self.kafka.servers_of(SECURE),
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": user,
            "sasl_password": password_of(user),
            "ssl_ca_file": self.authority.file,
            **changes,
        }

    def as_user(self, user: str, **changes: Any) -> KafkaSettings:
        """Return a user's connection."""
        return KafkaSettings(**self.settings_of(user, **changes))

    def with_certificate(self, name: str) -> KafkaSettings:
        """Return a connection that a client certificate of this name authenticates."""
        self.authority.issue(name)
        return KafkaSettings(
            bootstrap_servers=self.kafka.servers_of(MUTUAL),
            security_protocol="SSL",
            ssl_ca_file=self.authority.file,
            ssl_cert_file=self.authority.folder / f"{name}.crt",
            ssl_key_file=self.authority.folder / f"{name}.key",
        )


def secured_broker(folder: Path) -> SecuredBroker:
    """Return a broker, not started, with SCRAM users ``admin`` and one named as every role."""
    authority = Authority(folder / "keys")
    issuer = Issuer(folder / "keys", "https://identity.test", "kafka")
    kafka = secured_kafka(
        folder / "kafka",
        Keys(authority.file, authority.issue("broker", hosts=("127.0.0.1",))),
        {user: password_of(user) for user in (ADMIN, *ROLES)},
        super_user=ADMIN,
        tokens=TokenIssuer(issuer.jwks, issuer.issuer, issuer.audience),
    )
    return SecuredBroker(kafka, authority, issuer)
