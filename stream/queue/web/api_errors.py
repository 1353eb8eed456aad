"""Every refusal of the API: one shape, and its description in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from stream.errors import ReviewsError
from stream.queue.errors import QueueError
from stream.redis.trouble import trouble

API: Final = "/api/v1"
"""Where the API is mounted."""
DOCUMENT: Final = "/openapi.json"
_SEE: Final = f"see {API}{DOCUMENT}"
_MOST_FAULTS: Final = 5
_MOST_CHARS: Final = 300
"""Of one fault: a path through the body may name what was sent."""

Responses = dict[int | str, dict[str, Any]]


class ErrorOut(BaseModel):
    """Why a request was refused. Nothing was changed by it."""

    code: str = Field(description="For programs; stays the same.")
    message: str = Field(description="For people.")
    remedy: str = Field(description="What to do about it; may be empty.")


_MEANINGS: Final[dict[int, str]] = {
    400: "The body is no JSON that can be read. Code: `malformed`.",
    401: "No token, or one that opens nothing. Code: `not-signed-in`.",
    403: "Not allowed to this account (`not-allowed`, `own-dispute`), or a session without its form "
    "token (`form`).",
    408: "The body came too slowly. Code: `too-slow`.",
    409: "The queue has moved on: `nothing-to-undo`, `decided`, `taken`, `changed` or `own`; of a "
    "correction `superseded`, `disputed`, `not-decided` or `not-kept`.",
    413: "The body is too large. Code: `too-large`.",
    421: "The queue is not called by this host name. Code: `unknown-host`.",
    422: "A field is missing or wrong; the message names it. Code: `malformed`.",
    429: "More changes in a minute than one person makes. Code: `too-many`.",
    503: "Kafka or Redis does not answer (`outage`, `not-saved`), the queue is being restored "
    "(`rebuilding`), it is too busy (`busy`), or its accounts cannot be read (`accounts`). Trying "
    "again is safe.",
}
_CODES: Final = {
    400: "malformed",
    404: "no-page",
    405: "method",
    408: "too-slow",
    413: "too-large",
    503: "busy",
}
"""Of what the framework refuses, or what reads the bodies."""
_ALWAYS: Final = (401, 421, 503)
_OF_CHANGES: Final = (403, 429)
_OF_BODIES: Final = (400, 408, 413, 422)


def refusals(*further: int, changes: bool = False, body: bool = False) -> Responses:
    """Return what an operation may answer besides its success, for the OpenAPI document.

    Args:
        further: statuses of this operation alone.
        changes: it changes something: a page's form token and the rate limit are checked.
        body: it reads a body.
    """
    statuses = {
        *_ALWAYS,
        *further,
        *(_OF_CHANGES if changes else ()),
        *(_OF_BODIES if body else ()),
    }
    return {
        status: {"model": ErrorOut, "description": _MEANINGS[status]} for status in sorted(statuses)
    }


def handle_errors(api: FastAPI) -> None:
    """Make an API answer every refusal in this shape."""
    api.add_exception_handler(ReviewsError, _say)
    api.add_exception_handler(RedisError, _outage)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(HTTPException, _refuse)


def error_answer(status: int, code: str, message: str, remedy: str = "") -> Response:
    """Return a refusal. What no UTF-8 can hold is written out: the answer itself never fails."""
    said = ErrorOut(code=code, message=_plain(message), remedy=_plain(remedy))
    return Response(said.model_dump_json(), status, media_type="application/json")


async def _say(_: Request, error: Exception) -> Response:
    said = cast("ReviewsError", error)
    code, status = "outage", 503
    if isinstance(said, QueueError):
        code, status = said.code, said.status
    return error_answer(status, code, said.message, said.remedy)


async def _outage(_: Request, error: Exception) -> Response:
    met = trouble(cast("RedisError", error))
    return error_answer(503, "outage", f"Redis {met.message}", f"try again; {met.remedy}")


async def _malformed(_: Request, error: Exception) -> Response:
    faults = cast("Sequence[dict[str, Any]]", cast("RequestValidationError", error).errors())
    # What was sent is not quoted: it may be long, secret, or nothing that JSON can hold.
    told = [f"{'.'.join(map(str, f['loc']))}: {f['msg']}"[:_MOST_CHARS] for f in faults]
    message = "; ".join(told[:_MOST_FAULTS])
    if (left := len(told) - _MOST_FAULTS) > 0:
        message += f"; and {left} more"
    return error_answer(422, "malformed", message, _SEE)


async def _refuse(_: Request, error: Exception) -> Response:
    """Answer what the framework refuses, and what the guard does while a body is read."""
    said = cast("HTTPException", error)
    code = _CODES.get(said.status_code, HTTPStatus(said.status_code).phrase.lower())
    message = "the body is no JSON that can be read" if code == "malformed" else said.detail
    answer = error_answer(said.status_code, code, message, _SEE)
    answer.headers.update(said.headers or {})
    return answer


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
