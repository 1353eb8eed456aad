"""Signed cookies: who is signed in, and proof that a form came from our page.

Nothing is kept on the server, so that a lost Redis signs nobody out. A session ends when nothing was
done in it for its time, thirty days after the sign-in, with a sign-out or with a new password: the
last two raise the account's epoch.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Final

from itsdangerous import BadData, URLSafeTimedSerializer

from stream.queue.accounts import Account, Accounts

_RENEWED_AFTER: Final = 1 / 20
"""A cookie is renewed when this share of its time is over: seldom, and soon enough."""
_LONGEST_SECONDS: Final = 30 * 24 * 3600
"""NIST SP 800-63B asks for a password again after thirty days, however busy a session was."""


class Sessions:
    """Makes and reads the cookies of one queue.

    Args:
        secret: signs them; the same on every server.
        hours: how long a session holds without anything being done in it.
        accounts: whose sessions they are.
    """

    def __init__(self, secret: str, hours: float, accounts: Accounts) -> None:
        self._signer = URLSafeTimedSerializer(
            secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._key = hashlib.sha256(b"csrf\0" + secret.encode()).digest()
        self.seconds = int(hours * 3600)
        self._accounts = accounts

    def issue(self, account: Account) -> str:
        """Return a session cookie's value."""
        return self._signed(account, int(time.time()))

    def renewed(self, cookie: str) -> str | None:
        """Return a later cookie for a session that is in use; None if the present one will do."""
        account = self.account(cookie)
        if account is None:
            return None
        (*_, since), issued = self._signer.loads(cookie, return_timestamp=True)
        age = time.time() - issued.timestamp()
        return self._signed(account, since) if age >= self.seconds * _RENEWED_AFTER else None

    def account(self, cookie: str) -> Account | None:
        """Return whose session this is; None if it is nobody's, or over."""
        try:
            name, epoch, _, since = self._signer.loads(cookie, max_age=self.seconds)
        except (BadData, ValueError, TypeError):
            return None
        if time.time() - since > max(_LONGEST_SECONDS, self.seconds):
            return None
        found = self._accounts.get(str(name))
        return found if found is not None and found.epoch == epoch else None

    def _signed(self, account: Account, since: int) -> str:
        signed = self._signer.dumps([account.name, account.epoch, secrets.token_urlsafe(12), since])
        return signed if isinstance(signed, str) else signed.decode()

    def form_token(self, visit: str, who: str) -> str:
        """Return the token that our forms carry.

        Args:
            visit: the browser's own random cookie.
            who: who is signed in; empty for nobody.
        """
        message = f"{visit}\0{who}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    def is_form_token(self, token: str, visit: str, who: str) -> bool:
        """Return whether a form came from a page that we served to this browser and person."""
        expected = self.form_token(visit, who).encode()
        return bool(visit) and hmac.compare_digest(token.encode("utf-8", "replace"), expected)
