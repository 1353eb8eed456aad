"""Who may see the page: one-time links, a token, signed sessions."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from itsdangerous import BadSignature, TimestampSigner

from stream.settings import MonitorSettings

_LINK_SECONDS: Final = 3600.0
# A person mistypes a few times; nobody guesses 16 characters at ten a minute.
_ATTEMPTS: Final = 10
_ATTEMPT_SECONDS: Final = 60.0
_SUBJECT: Final = "viewer"


class Access:
    """Opens the page to whoever has the token or a link that was not used yet.

    With a token, sessions survive a restart, since they are signed with a key derived from it.

    Args:
        settings: the token and how long a session lasts.
        clock: monotonic seconds; a test's own clock otherwise.
    """

    def __init__(
        self, settings: MonitorSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._token = settings.token.get_secret_value() if settings.token else None
        self._seconds = int(settings.session_hours * 3600)
        self._clock = clock
        self._links: dict[str, float] = {}
        self._failed: deque[float] = deque(maxlen=_ATTEMPTS)
        key = self._token.encode() if self._token else secrets.token_bytes(32)
        self._signer = TimestampSigner(
            hashlib.sha256(b"reviews-monitor-session" + key).digest(), digest_method=hashlib.sha256
        )

    @property
    def session_seconds(self) -> int:
        """How long a session lasts."""
        return self._seconds

    def new_link_key(self) -> str:
        """Return a key that opens the page once, within an hour."""
        key = secrets.token_urlsafe(24)
        self._links[_digest(key)] = self._clock() + _LINK_SECONDS
        return key

    def sign_in(self, key: str) -> str | None:
        """Return a session for a link's key or the token; None: neither.

        After ten wrong ones within a minute all are refused until the minute is over; a link that
        comes meanwhile is not used up.
        """
        if self.blocked:
            return None
        digest = _digest(key)
        expires = self._links.get(digest)
        if expires is not None:
            del self._links[digest]
            if self._clock() < expires:
                return self._session()
        if self._token is not None and hmac.compare_digest(digest, _digest(self._token)):
            return self._session()
        self._failed.append(self._clock())
        return None

    @property
    def blocked(self) -> bool:
        """Whether too many wrong keys were tried just now."""
        full = len(self._failed) == _ATTEMPTS
        return full and self._clock() - self._failed[0] < _ATTEMPT_SECONDS

    def may_see(self, session: str | None) -> bool:
        """Tell whether a session is ours and has not ended."""
        if not session:
            return False
        try:
            value = self._signer.unsign(session, max_age=self._seconds)
        except BadSignature:  # SignatureExpired is one
            return False
        return value == _SUBJECT.encode()

    def _session(self) -> str:
        return self._signer.sign(_SUBJECT).decode()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
