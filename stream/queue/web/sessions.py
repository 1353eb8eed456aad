"""Signed cookies: who is signed in, and proof that a form came from our page.

Nothing is kept on the server, so that a lost Redis signs nobody out. A session ends with its time,
with a sign-out or with a new password: both raise the account's epoch.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from itsdangerous import BadData, URLSafeTimedSerializer

from stream.queue.accounts import Account, Accounts


class Sessions:
    """Makes and reads the cookies of one queue.

    Args:
        secret: signs them; the same on every server.
        hours: how long a sign-in holds.
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
        signed = self._signer.dumps([account.name, account.epoch, secrets.token_urlsafe(12)])
        return signed if isinstance(signed, str) else signed.decode()

    def account(self, cookie: str) -> Account | None:
        """Return whose session this is; None if it is nobody's, or over."""
        try:
            name, epoch, _ = self._signer.loads(cookie, max_age=self.seconds)
        except (BadData, ValueError, TypeError):
            return None
        found = self._accounts.get(str(name))
        return found if found is not None and found.epoch == epoch else None

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
