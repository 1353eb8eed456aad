"""What only a page can go wrong with."""

from __future__ import annotations

from stream.queue.errors import QueueError


class NotSignedIn(QueueError):
    """Nobody is signed in, or the session is over."""

    code = "not-signed-in"
    status = 401

    def __init__(self) -> None:
        super().__init__("you are not signed in", "sign in, or send a token")


class FormRefused(QueueError):
    """A form that was not sent from our own page (CSRF)."""

    code = "form"
    status = 403

    def __init__(self) -> None:
        super().__init__("the form is out of date", "load the page again and repeat it")


class TooMany(QueueError):
    """The rate limit."""

    code = "too-many"
    status = 429

    def __init__(self) -> None:
        super().__init__("too many changes in a minute", "wait a moment")


class Malformed(QueueError):
    """A field is missing or has a wrong value."""

    code = "malformed"
    status = 400
