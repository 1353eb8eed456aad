"""Who may see the page: one-time links, a token, signed sessions, and how often a token is guessed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

from itsdangerous import BadSignature, TimestampSigner

from stream.settings import MonitorSettings
from stream.web.limits import Limit

BROWSER_SECONDS: Final = 365 * 24 * 3600
"""How long a browser in which somebody signed in is known as one."""
_LINK_SECONDS: Final = 3600.0
# A person mistypes a few times; nobody guesses 16 characters at ten a minute.
_ATTEMPTS: Final = 10
_ATTEMPT_SECONDS: Final = 60.0
_SESSION: Final = "viewer"
_BROWSER: Final = "browser"


class Access:
    """Opens the page to whoever has the token or a link that was not used yet.

    Wrong tokens are counted by address. A browser in which somebody signed in before is counted on
    its own (OWASP's device cookies), and a link opens whatever was tried: so nobody keeps others out,
    behind a proxy either. No more than ten thousand counts are kept.

    With a token, sessions survive a restart, since they are signed with a key derived from it. Which
    were signed out is in memory alone.

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
        self._ended: dict[str, float] = {}
        """Sessions that were signed out, and until when they would have held."""
        self._wrong = Limit(_ATTEMPTS, _ATTEMPT_SECONDS, clock)
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

    def sign_in(self, key: str, address: str, browser: str = "") -> str | None:
        """Return a session for a link's key or the token; None: neither.

        Args:
            key: what was sent.
            address: whence.
            browser: its mark of an earlier sign-in (:meth:`new_browser`); empty: none.
        """
        digest = _digest(key)
        expires = self._links.pop(digest, None)
        if expires is not None and self._clock() < expires:
            return self._signed(_SESSION)
        if self.is_blocked(address, browser):
            return None
        if self._token is not None and hmac.compare_digest(digest, _digest(self._token)):
            return self._signed(_SESSION)
        self._wrong.note(self._counted(address, browser))
        return None

    def is_blocked(self, address: str, browser: str = "") -> bool:
        """Whether too many wrong keys came from there just now."""
        return self._wrong.is_reached(self._counted(address, browser))

    def new_browser(self) -> str:
        """Return a mark for a browser in which somebody has just signed in."""
        return self._signed(_BROWSER)

    def may_see(self, session: str | None) -> bool:
        """Tell whether a session is ours and has not ended."""
        identity = self._identity(session, _SESSION, self._seconds)
        return identity is not None and identity not in self._ended

    def sign_out(self, session: str | None) -> None:
        """End a session; what is none of ours is ignored."""
        identity = self._identity(session, _SESSION, self._seconds)
        if identity is None:
            return
        now = self._clock()
        self._ended = {known: until for known, until in self._ended.items() if until > now}
        self._ended[identity] = now + self._seconds

    def _counted(self, address: str, browser: str) -> str:
        return self._identity(browser, _BROWSER, BROWSER_SECONDS) or address

    def _signed(self, kind: str) -> str:
        return self._signer.sign(f"{kind}-{secrets.token_urlsafe(12)}").decode()

    def _identity(self, signed: str | None, kind: str, seconds: int) -> str | None:
        """Return what we signed; None: it is of another kind, too old, or not ours."""
        if not signed:
            return None
        try:
            found = self._signer.unsign(signed, max_age=seconds).decode()
        except BadSignature:  # SignatureExpired is one
            return None
        return found if found.startswith(f"{kind}-") else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
