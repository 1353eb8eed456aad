"""API tokens of accounts: random, kept as digests, with an end."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

DEFAULT_LIFETIME: Final = timedelta(days=90)
_PREFIX: Final = "rq_"
_ID_LETTERS: Final = 8


class Token(BaseModel):
    """What is kept of a token."""

    model_config = ConfigDict(frozen=True)

    digest: str
    """SHA-256. Tokens are random, so that a fast digest is enough."""
    made: datetime | None = None
    """None: before tokens had an end."""
    expires: datetime | None = None
    """None: it was made before tokens had an end, and has none."""
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_digest(cls, found: Any) -> Any:
        """Read what older releases kept: the digest alone."""
        return {"digest": found} if isinstance(found, str) else found

    @property
    def id(self) -> str:
        """Names the token in lists; opens nothing."""
        return self.digest[:_ID_LETTERS]

    def is_alive(self, now: datetime) -> bool:
        """Return whether it has not ended."""
        return self.expires is None or now < self.expires


def new_token(now: datetime, lifetime: timedelta, note: str) -> tuple[str, Token]:
    """Return a new token's secret, and what is kept of it."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    kept = Token(digest=digest_of(secret), made=now, expires=now + lifetime, note=note)
    return secret, kept


def digest_of(secret: str) -> str:
    """Return a token's digest."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
