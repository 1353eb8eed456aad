"""Signing in and out, the first account, language and theme."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from stream.queue.accounts import MAX_NAME, Account
from stream.queue.desk import Person
from stream.queue.errors import (
    AccountError,
    AccountsUnavailable,
    LinkRefused,
    QueueError,
    SignInRefused,
)
from stream.queue.throttle import Attempt
from stream.queue.web.errors import Malformed
from stream.queue.web.forms import own_path
from stream.queue.web.identity import CheckedForm, FromAnybody, FromPerson, TheSite
from stream.queue.web.kept import Kept
from stream.queue.web.site import Site, Welcome
from stream.queue.web.visitor import Visitor, new_visit

router = APIRouter(include_in_schema=False)
_YEAR = 365 * 24 * 3600

_log = structlog.get_logger(__name__)


@router.get("/sign-in")
async def ask(site: TheSite, visitor: FromAnybody, back: Annotated[str, Query()] = "/") -> Response:
    """Ask for name and password."""
    if visitor.person is not None:
        return RedirectResponse(own_path(back), 303)
    return sign_in_page(site, visitor, own_path(back))


@router.post("/sign-in")
async def sign_in(site: TheSite, visitor: FromAnybody, form: CheckedForm) -> Response:
    """Start a session, or say that name and password do not belong together."""
    back = own_path(_field(form, "back"))
    # Longer than any name that an account may have; what is longer is nobody's.
    name = _field(form, "name")[: MAX_NAME + 1]
    kept = Kept.unsealed(form.get("kept"))
    known = site.accounts.get(name)
    device = site.devices.mark(visitor.device, known)
    attempt = Attempt(name, known is not None, visitor.address, device)
    if wait := ceil(site.throttle.wait(attempt)):
        page = sign_in_page(site, visitor, back, 429, name=name, wait=wait, kept=kept)
        page.headers["retry-after"] = str(wait)
        return page
    # Counted before the slow check, so that many at once do not slip through.
    site.throttle.note(attempt)
    account = await site.accounts.check(name, _field(form, "password"))
    if account is None:
        refusal = SignInRefused("wrong name or password")
        return sign_in_page(site, visitor, back, 401, name=name, error=refusal, kept=kept)
    site.throttle.succeeded(attempt)
    # Offered to whom its page was made for: not to the next person at the same browser.
    if kept and site.sessions.is_form_token(kept.token, visitor.visit, account.name):
        person, visit = Person(account.name, account.lead), new_visit()
        now = replace(visitor, person=person, way="session", visit=visit, is_new=False)
        resend = site.page(now, "resend.html", kept=kept)
        return _session(site, visitor, account, resend, visit)
    return _session(site, visitor, account, RedirectResponse(back, 303))


@router.post("/sign-out")
async def sign_out(site: TheSite, visitor: FromPerson, form: CheckedForm) -> Response:  # noqa: ARG001 - checks the form
    """End this person's sessions, here and elsewhere."""
    if visitor.way == "session":
        with _writing_accounts():
            site.accounts.end_sessions(visitor.name)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(site.session_cookie, secure=site.secure, httponly=True)
    return response


@router.get("/welcome")
async def welcome(
    site: TheSite, visitor: FromAnybody, token: Annotated[str, Query()] = ""
) -> HTMLResponse:
    """Show the form for the first account, to whoever has the one-time link."""
    _check_welcome(site, token)
    return site.page(visitor, "welcome.html", token=token, name="", error=None)


@router.post("/welcome")
async def first_account(site: TheSite, visitor: FromAnybody, form: CheckedForm) -> Response:
    """Make the first account. It leads."""
    token, name, password = (_field(form, field) for field in ("token", "name", "password"))
    # One at a time: hashing the password takes a while, and the link opens once. Another server's
    # link is held off by the accounts file, which takes this account only as its first.
    async with _check_welcome(site, token).opening:
        open_welcome = _check_welcome(site, token)
        try:
            with _writing_accounts():
                account = await asyncio.to_thread(
                    site.accounts.add, name, password, lead=True, only_first=True
                )
        except AccountsUnavailable:
            raise  # whatever name they choose
        except AccountError as error:
            return site.page(visitor, "welcome.html", 400, token=token, name=name, error=error)
        open_welcome.used = True
    return _session(site, visitor, account, RedirectResponse("/", 303))


@router.post("/preferences")
async def preferences(site: TheSite, form: CheckedForm) -> Response:
    """Keep language or theme in the browser."""
    response = RedirectResponse(own_path(_field(form, "back")), 303)
    if (language := str(form.get("language", ""))) in {"ru", "en"}:
        site.set_cookie(response, "queue_language", language, _YEAR)
    if (theme := str(form.get("theme", ""))) in {"auto", "light", "dark"}:
        site.set_cookie(response, "queue_theme", theme, _YEAR)
    return response


@contextmanager
def _writing_accounts() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.error("accounts_not_written", error=repr(error))
        raise AccountsUnavailable("the accounts cannot be written", "free some space") from error


def _check_welcome(site: Site, token: str) -> Welcome:
    if site.welcome is None or not site.welcome.opens(token) or site.accounts.all():
        raise LinkRefused("this link was used or is not valid", "sign in instead")
    return site.welcome


def sign_in_page(
    site: Site,
    visitor: Visitor,
    back: str,
    status: int = 200,
    *,
    name: str = "",
    error: QueueError | None = None,
    wait: int = 0,
    kept: Kept | None = None,
    ended: bool = False,
) -> HTMLResponse:
    """Return the page that asks for name and password.

    Args:
        site: makes it.
        visitor: who is to sign in.
        back: where they go on.
        status: of the answer.
        name: as it was typed.
        error: why the last attempt failed.
        wait: seconds until another attempt may be made.
        kept: a form to be offered again afterwards.
        ended: the session had ended when they sent a form.
    """
    return site.page(
        visitor,
        "sign-in.html",
        status,
        name=name,
        back=back,
        error=error,
        wait=wait,
        kept=kept,
        ended=ended,
    )


def _session(
    site: Site, visitor: Visitor, account: Account, response: Response, visit: str = ""
) -> Response:
    site.set_cookie(
        response, site.session_cookie, site.sessions.issue(account), site.sessions.seconds
    )
    # Whoever planted the former one in this browser knows it; forms are bound to a new one.
    site.set_visit(response, visit or new_visit())
    site.set_device(response, visitor.device, account)
    return response


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} is missing", "load the page again")
    return value
