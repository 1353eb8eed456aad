"""An embedded Kafka and Redis that ask who comes: TLS, SASL, ACLs.

The plaintext listener that every embedded broker has stays, on loopback, and who comes through
it is the super-user: that is how the broker talks to itself. Clients under test use :data:`SECURE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.kafka import LocalKafka
from tests.support.java import SHORT_LIVED

SECURE: Final = "SECURE"
"""Listener with TLS and SASL."""
MUTUAL: Final = "MUTUAL"
"""Listener with TLS that asks the client for a certificate; its principal is its common name."""

_JAAS: Final = "org.apache.kafka.common.security"
_ALLOWED_URLS: Final = "org.apache.kafka.sasl.oauthbearer.allowed.urls"
_OAUTH: Final = f"{_JAAS}.oauthbearer.OAuthBearer"


@dataclass(frozen=True, slots=True)
class Keys:
    """PEM files that a server needs.

    Attributes:
        authority: certificate that clients' and servers' certificates are signed with.
        server: the server's key (PKCS 8, unencrypted) and certificate, in one file.
    """

    authority: Path
    server: Path


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Whose tokens the broker believes.

    Attributes:
        keys: file with the issuer's public keys (JWKS).
        issuer: what a token's ``iss`` must be.
        audience: what its ``aud`` must hold.
    """

    keys: Path
    issuer: str
    audience: str


def secured_kafka(
    data_dir: Path,
    keys: Keys,
    users: Mapping[str, str],
    *,
    super_user: str,
    tokens: TokenIssuer | None = None,
    **options: Any,
) -> LocalKafka:
    """Return a broker, not started, that refuses everything that no ACL allows.

    Args:
        data_dir: its folder.
        keys: of its TLS listeners.
        users: SCRAM-SHA-512 users and their passwords.
        super_user: of them, who may do everything.
        tokens: accepts OAUTHBEARER too.
        options: as for :class:`~deploy.local.kafka.LocalKafka`.
    """
    # Kafka reads keys only from where it was told that it may.
    flags = (f"-D{_ALLOWED_URLS}={tokens.keys.as_uri()}",) if tokens else ()
    return LocalKafka(
        data_dir,
        listeners={SECURE: "SASL_SSL", MUTUAL: "SSL"},
        properties=_properties(keys, super_user, tokens),
        format_arguments=[word for user in users.items() for word in _scram(*user)],
        jvm_flags=(*SHORT_LIVED, *flags),
        **options,
    )


def redis_acl(users: Mapping[str, Sequence[str]], passwords: Mapping[str, str]) -> list[str]:
    """Return lines of an ACL file: these users, and nobody without a name.

    Args:
        users: rules of each, as ``~reviews:* +get``.
        passwords: of each.
    """
    lines = [
        f"user {name} on >{passwords[name]} {' '.join(granted)}" for name, granted in users.items()
    ]
    return ["user default off", *lines]


def _scram(name: str, password: str) -> tuple[str, str]:
    return "--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"


def _properties(keys: Keys, super_user: str, tokens: TokenIssuer | None) -> dict[str, str]:
    secure = f"listener.name.{SECURE.lower()}."
    mechanisms = ["SCRAM-SHA-512", *(["OAUTHBEARER"] if tokens else [])]
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{super_user};User:ANONYMOUS",
        f"{secure}sasl.enabled.mechanisms": ",".join(mechanisms),
        f"{secure}scram-sha-512.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(keys.authority),
    }
    if tokens is not None:
        bearer = f"{secure}oauthbearer.sasl."
        settings |= {
            f"{bearer}jaas.config": f"{_OAUTH}LoginModule required;",
            f"{bearer}server.callback.handler.class": f"{_OAUTH}ValidatorCallbackHandler",
            f"{bearer}oauthbearer.jwks.endpoint.url": tokens.keys.as_uri(),
            f"{bearer}oauthbearer.expected.issuer": tokens.issuer,
            f"{bearer}oauthbearer.expected.audience": tokens.audience,
        }
    return settings
