"""Settings of the review queue."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Self

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from stream.settings.fields import Names, PositiveInt, PositiveSeconds, Section, checked_redis_url


class QueueSettings(Section):
    """The review queue: `reviews queue`."""

    host: str = Field("127.0.0.1", description="Loopback unless set.")
    port: int = Field(8400, ge=0, le=65535, description="0: any free port.")
    name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="With the port, names this server's transactions: the same after a restart, "
        "another one for every server.",
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis of the working set; unless set, that of the cache."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="How browsers reach the page, behind a proxy. https makes cookies secure.",
    )
    accounts: Path = Field(
        Path(".reviews/queue-accounts.json"), description="File of accounts, argon2 hashes only."
    )
    secret: SecretStr | None = Field(
        None,
        description="Signs sessions, and seals what Redis keeps for the queue; the same for all of its "
        "servers. Unless set, made at first start and kept in a file.",
    )
    session_hours: PositiveSeconds = Field(
        12.0, description="A sign-in holds this long after the last thing that was done."
    )
    token_days: PositiveInt = Field(
        90, le=3650, description="An API token ends after so many days, unless made with another."
    )
    sign_in_attempts: PositiveInt = Field(
        10,
        description="Wrong passwords of one account from one address, or in one browser that it was "
        "signed in with, before each further try waits: 15 seconds, doubling up to 15 minutes. Ten "
        "times as many of an account from everywhere, and from an address for all accounts.",
    )
    requests_per_minute: PositiveInt = Field(
        600, description="Changes that one person may make; ten a second is faster than a hand."
    )
    proxy_header: str | None = Field(
        None, description="Header in which a trusted proxy names the signed-in person."
    )
    proxy_addresses: Names = Field(
        ("127.0.0.1", "::1"), description="Addresses that the proxy header is believed from."
    )
    proxy_secret: SecretStr | None = Field(
        None,
        description="What the proxy must send in X-Proxy-Secret. Needed for `proxy_header`; with it "
        "X-Forwarded-For is believed, too, so that wrong passwords are counted by visitor.",
    )
    lease_seconds: PositiveSeconds = Field(
        300.0, description="An item shown to one person is shown to nobody else for so long."
    )
    blind_share: float = Field(
        0.15, ge=0, le=1, description="Share of items shown without the model's suggestions."
    )
    second_share: float = Field(
        0.1, ge=0, le=1, description="Share of decisions that another person makes again."
    )
    random_share: float = Field(
        0.1, ge=0, le=1, description="Share of items drawn at random instead of by information."
    )
    bulk_limit: PositiveInt = Field(200, description="Near-identical reviews decided at once.")
    codebook_version: str = Field("1", min_length=1, description="Recorded with every label.")
    transaction_timeout_ms: PositiveInt = Field(
        10_000, description="After this the broker aborts a decision's transaction."
    )

    _url_is_one = field_validator("redis_url")(checked_redis_url)

    @model_validator(mode="after")
    def _proxy_needs_a_secret(self) -> Self:
        # A peer's address alone is no proof: on loopback every local program has it.
        if self.proxy_header is not None and self.proxy_secret is None:
            raise ValueError("proxy_header needs proxy_secret")
        return self
