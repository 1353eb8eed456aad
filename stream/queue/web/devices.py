"""Browsers that people signed in with before: others' wrong passwords do not hold them up.

After OWASP's "Slow down online guessing attacks with device cookies". The cookie opens nothing: it only
says by which count a password is tried.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from itsdangerous import BadData, URLSafeTimedSerializer

from stream.queue.accounts import Account

DEVICE_SECONDS: Final = 180 * 24 * 3600
_MOST_ACCOUNTS: Final = 5
"""In one browser; the latest are kept."""


class Devices:
    """Makes and reads the cookie.

    Args:
        secret: signs it; the same on every server.
    """

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeTimedSerializer(
            secret, salt="device", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._key = hashlib.sha256(b"device\0" + secret.encode()).digest()

    def marked(self, cookie: str, account: Account) -> str:
        """Return the cookie of a browser in which an account was signed in to just now."""
        tag = self._tag(account)
        others = [entry for entry in self._entries(cookie) if entry[0] != tag]
        entries = [*others, [tag, secrets.token_urlsafe(12)]][-_MOST_ACCOUNTS:]
        signed = self._signer.dumps(entries)
        return signed if isinstance(signed, str) else signed.decode()

    def mark(self, cookie: str, account: Account | None) -> str:
        """Return what tells this browser among those of an account; empty: it is none of them."""
        if account is None or not cookie:
            return ""
        tag = self._tag(account)
        return next((mark for known, mark in self._entries(cookie) if known == tag), "")

    def _entries(self, cookie: str) -> list[list[str]]:
        try:
            found = self._signer.loads(cookie, max_age=DEVICE_SECONDS) if cookie else []
        except (BadData, ValueError):
            return []
        return [[str(part) for part in entry] for entry in found]

    def _tag(self, account: Account) -> str:
        # Of the password's hash, too: a new password begins with no browser.
        said = f"{account.name}\0{account.password}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:24]
