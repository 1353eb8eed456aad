"""What a request may send before anybody looks at it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from stream.queue.web.api_errors import DOCUMENT, error_answer
from stream.queue.web.errors import NotSignedIn
from stream.queue.web.identity import visitor_of
from stream.queue.web.site import site_of
from stream.web.bodies import Allowance

_MIB: Final = 1024 * 1024
_IMPORT: Final = 16 * _MIB
"""A Label Studio export is the largest thing that is sent to us."""
_FORM: Final = _MIB
"""A form that was kept through a sign-in, or the API's hundred decisions."""
# An id of 200 characters, percent-encoded twice.
_CHOSEN: Final = 4096


def allowance_of(scope: Scope) -> Allowance:
    """Return how much the body of a request may hold, by who sends it where."""
    request = Request(scope)
    visitor = visitor_of(request)
    if visitor.person is None:
        return Allowance(_FORM, stranger=True)
    if scope["path"] == "/import" and visitor.is_lead:
        return Allowance(_IMPORT)
    return Allowance(max(_FORM, site_of(request).queue.bulk_limit * _CHOSEN))


class SignedInFirst:
    """ASGI middleware of the API: nobody's body is read. The framework would read it first.

    Args:
        app: the API.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_open = scope["type"] != "http" or scope["path"].endswith(DOCUMENT)
        if not is_open and visitor_of(Request(scope)).person is None:
            nobody = NotSignedIn()
            refusal = error_answer(nobody.status, nobody.code, nobody.message, nobody.remedy)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
