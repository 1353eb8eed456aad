"""How long a session holds: as long as somebody works in it, and thirty days at most."""

import contextlib
import time

import httpx
import pytest

from stream.queue.accounts import Accounts
from stream.queue.web.renewal import BY_ITSELF, Renewal
from stream.queue.web.sessions import Sessions
from tests.support.queue import PASSWORD

HOUR = 3600


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def accounts(tmp_path):
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("ann", PASSWORD)
    return accounts


@pytest.fixture
def sessions(accounts):
    return Sessions("secret", 12.0, accounts)


def test_a_session_in_which_nothing_is_done_ends(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    clock.now += 12 * HOUR + 1
    assert sessions.account(cookie) is None
    assert sessions.renewed(cookie) is None


def test_activity_prolongs_a_session_beyond_its_time(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    for _ in range(10):
        clock.now += 11 * HOUR
        cookie = sessions.renewed(cookie)
        assert sessions.account(cookie).name == "ann"


def test_a_young_cookie_is_not_renewed(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    clock.now += 60
    assert sessions.renewed(cookie) is None


def test_thirty_days_after_the_sign_in_even_a_busy_session_ends(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    for _ in range(30 * 24 // 6):
        clock.now += 6 * HOUR
        cookie = sessions.renewed(cookie)
    clock.now += 1
    assert sessions.account(cookie) is None


def test_an_ended_session_is_not_renewed(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    clock.now += HOUR
    accounts.end_sessions("ann")
    assert sessions.renewed(cookie) is None


class _Site:
    session_cookie = "queue_session"

    def __init__(self, sessions):
        self.sessions = sessions

    def set_cookie(self, response, name, value, seconds):
        response.set_cookie(name, value, max_age=seconds)


@contextlib.asynccontextmanager
async def _asking(sessions, cookie, *own):
    async def answer(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": list(own)})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(Renewal(answer, _Site(sessions)))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://q", headers={"Cookie": f"queue_session={cookie}"}
    ) as client:
        yield client


async def test_what_a_person_asks_brings_a_later_cookie(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    clock.now += HOUR
    async with _asking(sessions, cookie) as client:
        later = (await client.get("/")).cookies["queue_session"]
    clock.now += 11.5 * HOUR
    assert sessions.account(cookie) is None
    assert sessions.account(later).name == "ann"


async def test_what_a_page_asks_by_itself_prolongs_nothing(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    clock.now += HOUR
    async with _asking(sessions, cookie) as client:
        answer = await client.get("/", headers={BY_ITSELF: "1"})
    assert "set-cookie" not in answer.headers


async def test_signing_out_is_not_undone_by_a_renewal(sessions, accounts, clock):
    cookie = sessions.issue(accounts.get("ann"))
    clock.now += HOUR
    ended = (b"set-cookie", b'queue_session=""; Max-Age=0')
    async with _asking(sessions, cookie, ended) as client:
        answer = await client.get("/")
    assert answer.headers.get_list("set-cookie") == [ended[1].decode()]
