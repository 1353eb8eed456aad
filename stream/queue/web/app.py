"""The application: routes, errors as pages, static files."""

from __future__ import annotations

from typing import Final, cast
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from redis.exceptions import RedisError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from stream.queue.errors import AccountsUnavailable, QueueError
from stream.queue.web import account_pages, correction_pages, desk_pages, figure_pages
from stream.queue.web.allowances import SignedInFirst, allowance_of
from stream.queue.web.api import create_api
from stream.queue.web.api_errors import API
from stream.queue.web.errors import Malformed, NotSignedIn
from stream.queue.web.forms import sent_form
from stream.queue.web.guard import Guard
from stream.queue.web.identity import visitor_of
from stream.queue.web.kept import Kept
from stream.queue.web.renewal import Renewal
from stream.queue.web.site import FOLDER, Site, site_of
from stream.queue.web.words import say
from stream.web.bodies import Bodies
from stream.web.connections import Connections

_FOREVER: Final = "public, max-age=31536000, immutable"


def create_app(site: Site, connections: Connections) -> FastAPI:
    """Return the application of one queue server.

    Args:
        site: its parts.
        connections: hear how far a request has come.
    """
    app = FastAPI(title="Review queue", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.site = site
    app.add_middleware(Renewal, site=site)
    app.add_middleware(Bodies, allowance=allowance_of, connections=connections)
    app.add_middleware(Guard, site=site)  # the outermost: it refuses before anything else is done
    app.mount("/static", _Assets(directory=FOLDER / "static"))
    app.mount(API, SignedInFirst(create_api(site)))
    for pages in (account_pages, desk_pages, correction_pages, figure_pages):
        app.include_router(pages.router)
    app.add_api_route("/livez", _live, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_exception_handler(QueueError, _say)
    app.add_exception_handler(RedisError, _outage)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _not_found)
    return app


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = _FOREVER
        return response


async def _live() -> Response:
    return PlainTextResponse("ok\n")


async def _ready(request: Request) -> Response:
    """Ready: accounts can be read, Redis answers, and the working set is whole and as late as Kafka."""
    site = site_of(request)
    try:
        site.accounts.require()
        ready = await site.working_set.is_open()
    except (AccountsUnavailable, RedisError):
        ready = False
    return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503)


async def _say(request: Request, error: Exception) -> Response:
    said = cast("QueueError", error)
    site, visitor = site_of(request), visitor_of(request)
    is_script = request.headers.get("x-partial") == "1"
    if isinstance(said, NotSignedIn) and not is_script:
        if request.method == "POST":
            kept = await _kept(request)
            return account_pages.sign_in_page(site, visitor, "/", 401, kept=kept, ended=True)
        back = visitor.here
        return RedirectResponse(
            f"/sign-in?back={quote(back, safe='')}" if back != "/" else "/sign-in", 303
        )
    progress = (0, 0)
    if said.code == "rebuilding":
        progress = await site.filing.progress()
    done, total = progress
    message = say(visitor.language, f"error-{said.code}", done=done, total=total)
    if is_script:
        return JSONResponse({"code": said.code, "message": message}, said.status)
    return site.page(visitor, "error.html", said.status, error=said, message=message)


async def _kept(request: Request) -> Kept | None:
    try:
        form = await sent_form(request) if Kept.may_be(request.url.path) else FormData()
        return Kept.of(request.url.path, form)
    except (Malformed, HTTPException):
        return None  # nothing of ours


async def _outage(request: Request, _: Exception) -> Response:
    return await _say(request, _Outage("Redis does not answer", "try again in a moment"))


class _Outage(QueueError):
    code = "outage"
    status = 503


async def _malformed(request: Request, error: Exception) -> Response:
    first = cast("RequestValidationError", error).errors()[0]
    where = ".".join(map(str, first["loc"]))
    return await _say(request, Malformed(f"{where}: {first['msg']}", "check the address"))


async def _not_found(request: Request, error: Exception) -> Response:
    said = cast("HTTPException", error)
    if said.status_code != 404:  # noqa: PLR2004 - HTTP's number for it
        return PlainTextResponse(f"{said.detail}\n", said.status_code, headers=said.headers)
    return await _say(request, _NoSuchPage("there is no such page", ""))


class _NoSuchPage(QueueError):
    code = "no-page"
    status = 404
