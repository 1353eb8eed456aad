"""What all pages share: the queue's parts, who is asking, and how a page is made."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

from schemas import active_taxonomy, all_categories
from stream.queue.accounts import Account, Accounts
from stream.queue.desk import Desk
from stream.queue.filing import Filing
from stream.queue.guidelines import Language, guidelines
from stream.queue.statistics import Statistics
from stream.queue.throttle import Throttle
from stream.queue.web import choices
from stream.queue.web.devices import DEVICE_SECONDS, Devices
from stream.queue.web.sessions import Sessions
from stream.queue.web.shares import apart, percent
from stream.queue.web.visitor import Visitor
from stream.queue.web.words import WORDS, say
from stream.queue.working_set import WorkingSet
from stream.settings import Settings
from stream.web.hosts import Hosts
from stream.web.languages import page_language
from stream.web.limits import Limit

FOLDER: Final = Path(__file__).parent
_VISIT_SECONDS: Final = 30 * 24 * 3600


@dataclass(slots=True)
class Welcome:
    """The one-time link by which the first account is made."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    used: bool = False
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while an account is made with it."""

    def opens(self, token: str) -> bool:
        """Return whether this is the link's token, and it was not used yet."""
        given = token.encode("utf-8", "replace")
        return not self.used and secrets.compare_digest(given, self.token.encode())


class Site:
    """The parts of one queue server.

    Args:
        settings: all of them.
        desk: decides.
        working_set: leases and what waits.
        filing: tells whether the working set is whole.
        statistics: the counters.
        accounts: who may sign in.
        secret: signs sessions.
    """

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        working_set: WorkingSet,
        filing: Filing,
        statistics: Statistics,
        accounts: Accounts,
        secret: str,
    ) -> None:
        self.settings = settings
        self.queue = settings.queue
        self.desk = desk
        self.working_set = working_set
        self.filing = filing
        self.statistics = statistics
        self.accounts = accounts
        self.sessions = Sessions(secret, self.queue.session_hours, accounts)
        self.welcome = None if accounts.all() else Welcome()
        self.hosts = Hosts(self.queue.host, self.queue.public_url)
        self.changes = Limit(self.queue.requests_per_minute, 60)
        self.throttle = Throttle(self.queue.sign_in_attempts)
        self.devices = Devices(secret)
        self.secure = (self.queue.public_url or "").startswith("https:")
        self._templates = _environment()

    @property
    def session_cookie(self) -> str:
        """Name of the session cookie. ``__Host-`` makes the browser refuse it from elsewhere."""
        return "__Host-queue_session" if self.secure else "queue_session"

    @property
    def visit_cookie(self) -> str:
        """Name of the browser's own cookie, to which forms are bound."""
        return "__Host-queue_visit" if self.secure else "queue_visit"

    @property
    def device_cookie(self) -> str:
        """Name of the cookie that says who signed in with this browser before."""
        return "__Host-queue_device" if self.secure else "queue_device"

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie that no script and no other site can use."""
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, secure=self.secure, samesite="lax"
        )

    def set_visit(self, response: Response, visit: str) -> None:
        """Give a browser its own cookie."""
        self.set_cookie(response, self.visit_cookie, visit, _VISIT_SECONDS)

    def set_device(self, response: Response, former: str, account: Account) -> None:
        """Mark a browser as one in which an account was signed in to."""
        marked = self.devices.marked(former, account)
        self.set_cookie(response, self.device_cookie, marked, DEVICE_SECONDS)

    def render(self, visitor: Visitor, template: str, **context: Any) -> str:
        """Return a template's HTML in the visitor's language. Everything is escaped."""
        language = visitor.language
        return self._templates.get_template(template).render(
            visitor=visitor,
            language=language,
            csrf=self.sessions.form_token(visitor.visit, visitor.name),
            percent=lambda share: percent(share, language),
            apart=lambda share, bound: apart(share, bound, language),
            t=lambda key, **values: say(language, key, **values),
            title_of=lambda category: (
                say(language, "cannot-tell") if category is None else category.info.name(language)
            ),
            categories=all_categories(),
            many=choices.has_many(),
            text_language=_text_language(),
            guidelines=guidelines(language),
            **context,
        )

    def page(
        self, visitor: Visitor, template: str, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """Return a page, and give a new browser its cookie."""
        response = HTMLResponse(self.render(visitor, template, **context), status)
        if visitor.is_new:
            self.set_visit(response, visitor.visit)
        return response


def _text_language() -> str:
    """Return the language that reviews are in; empty, which is "unknown" in HTML, if they have several."""
    languages = active_taxonomy().languages
    return languages[0] if len(languages) == 1 else ""


def site_of(request: Request) -> Site:
    """Return the site that a request reached."""
    return cast("Site", request.app.state.site)


def language_of(cookies: Mapping[str, str]) -> Language:
    """Return the chosen language; before a choice, that of all pages."""
    chosen = cookies.get("queue_language")
    if chosen in WORDS:
        return chosen
    return page_language()


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        auto_reload=False,  # it would look at every file's time for every page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = _asset
    environment.globals["choices"] = choices
    # Ids are any text: browsers turn a line break in a form's field into two characters, and drop NUL.
    environment.filters["quoted"] = lambda text: quote(text, safe="")
    environment.filters["points"] = lambda share: f"{share * 100:+.0f}".replace("-", "\u2212")
    for name in environment.list_templates():
        environment.get_template(name)  # compiled now: the first visitor should not wait for it
    return environment


_digests: dict[str, str] = {}


def _asset(name: str) -> str:
    """Return a static file's address; it changes with its content, so that browsers may keep it."""
    if name not in _digests:
        content = (FOLDER / "static" / name).read_bytes()
        _digests[name] = hashlib.sha256(content).hexdigest()[:12]
    return f"/static/{name}?{_digests[name]}"
