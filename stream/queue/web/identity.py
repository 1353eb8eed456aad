"""Who is asking, and whether a change is really theirs.

What FastAPI calls for each request is ``async``, though nothing is awaited: a plain function would
go through a thread, and wait there for its turn.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from typing import Annotated, Final, cast

from fastapi import Depends, Request
from starlette.datastructures import FormData

from stream.queue.desk import Person
from stream.queue.errors import NotAllowed
from stream.queue.web.errors import FormRefused, TooMany
from stream.queue.web.forms import sent_form
from stream.queue.web.site import Site, language_of, site_of
from stream.queue.web.visitor import Theme, Visitor, Way, new_visit

_PROXY_NAME: Final = re.compile(r"[\w.@+-]{1,60}")
_IPV6_NETWORK: Final = 64


def visitor_of(request: Request) -> Visitor:
    """Return who sends a request; nobody is a visitor as well."""
    site = site_of(request)
    person, way = _person(site, request)
    visit = request.cookies.get(site.visit_cookie, "")
    theme = request.cookies.get("queue_theme", "auto")
    return Visitor(
        person=person,
        way=way,
        visit=visit or new_visit(),
        is_new=not visit,
        language=language_of(request.cookies),
        theme=cast("Theme", theme if theme in {"light", "dark"} else "auto"),
        address=address_of(site, request),
        device=request.cookies.get(site.device_cookie, ""),
        here=_here(request),
    )


def address_of(site: Site, request: Request) -> str:
    """Return where a request comes from: the connection's other end, or what our proxy says of it.

    Of IPv6 the network: a household has as many addresses as it likes.
    """
    address = request.client.host if request.client else ""
    if _is_from_proxy(site, request):
        # A proxy adds whom it talks to behind what the visitor sent: the last is its own word.
        said = ",".join(request.headers.getlist("x-forwarded-for"))
        address = said.rpartition(",")[2].strip() or address
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return request.client.host if request.client else ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)


async def _visitor(request: Request) -> Visitor:
    return visitor_of(request)


async def _site(request: Request) -> Site:
    return site_of(request)


async def signed_in(visitor: Annotated[Visitor, Depends(_visitor)]) -> Visitor:
    """Return the visitor, who is somebody.

    Raises:
        NotSignedIn: they are not.
    """
    _ = visitor.acting
    return visitor


async def lead(visitor: Annotated[Visitor, Depends(signed_in)]) -> Visitor:
    """Return the visitor, who is a lead.

    Raises:
        NotAllowed: they are not.
    """
    if not visitor.is_lead:
        raise NotAllowed("this needs a lead", "ask a lead, or `reviews queue add-user --lead`")
    return visitor


async def checked_form(
    request: Request, visitor: Annotated[Visitor, Depends(_visitor)]
) -> FormData:
    """Return a form that our own page sent, within the rate limit.

    Raises:
        FormRefused: another site sent it, or the page is from before a sign-in.
        Malformed: it cannot be read.
        TooMany: faster than a hand.
    """
    form = await sent_form(request)
    await check_change(request, visitor, str(form.get("csrf", "")))
    return form


async def check_change(request: Request, visitor: Visitor, token: str) -> None:
    """Check that a change was meant by whom it seems to come from.

    Raises:
        FormRefused: another site sent it, or the page is from before a sign-in.
        TooMany: faster than a hand.
    """
    site = site_of(request)
    if visitor.way != "token":  # a browser adds no token by itself
        if not site.hosts.sent_it(request.headers):
            raise FormRefused
        if not site.sessions.is_form_token(token, visitor.visit, visitor.name):
            raise FormRefused
    if not site.changes.allows(visitor.name or visitor.address):
        raise TooMany


def _here(request: Request) -> str:
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _person(site: Site, request: Request) -> tuple[Person | None, Way]:
    scheme, _, token = _only(request, "authorization").partition(" ")
    if scheme.lower() == "bearer":
        account = site.accounts.by_token(token.strip())
        return (Person(account.name, account.lead), "token") if account else (None, "nobody")
    if (person := _by_proxy(site, request)) is not None:
        return person, "proxy"
    account = site.sessions.account(request.cookies.get(site.session_cookie, ""))
    return (Person(account.name, account.lead), "session") if account else (None, "nobody")


def _by_proxy(site: Site, request: Request) -> Person | None:
    header = site.queue.proxy_header
    if header is None or not _is_from_proxy(site, request):
        return None
    name = _only(request, header)
    if not _PROXY_NAME.fullmatch(name):
        return None
    # The proxy says who they are; an account of that name may say that they lead.
    account = site.accounts.get(name)
    return Person(name, account is not None and account.lead)


def _is_from_proxy(site: Site, request: Request) -> bool:
    queue = site.queue
    if queue.proxy_secret is None or request.client is None:
        return False
    secret = _only(request, "x-proxy-secret").encode("utf-8", "replace")
    return request.client.host in queue.proxy_addresses and secrets.compare_digest(
        secret, queue.proxy_secret.get_secret_value().encode()
    )


def _only(request: Request, header: str) -> str:
    """Return a header that says who is there; empty where it was sent more than once.

    A proxy that adds its own to a visitor's, instead of replacing it, must not make us choose.
    """
    found = request.headers.getlist(header)
    return found[0] if len(found) == 1 else ""


FromAnybody = Annotated[Visitor, Depends(_visitor)]
FromPerson = Annotated[Visitor, Depends(signed_in)]
FromLead = Annotated[Visitor, Depends(lead)]
CheckedForm = Annotated[FormData, Depends(checked_form)]
TheSite = Annotated[Site, Depends(_site)]
