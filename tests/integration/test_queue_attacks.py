"""Attacks on the queue's door, tried against a running server: links, sessions, tokens, proxies, hosts."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from stream.queue.accounts import Accounts
from stream.queue.errors import AccountError
from tests.support.queue import PASSWORD, Reviewer, hidden, task
from tests.support.queue_pages import client_of, pages_settings, served_pages

SECRET = "between proxy and queue"
BEHIND_PROXY = {"proxy_header": "X-User", "proxy_secret": SECRET}
IN_A_CONTAINER = {"host": "0.0.0.0", "public_url": "https://queue.example"}
TASKS = [task(number) for number in range(4)]
PROGRESS = "/api/v1/progress"


@pytest.fixture
def serve(redis_server, topic_prefix, tmp_path):
    """Serve a queue of four reviews with settings of the test's own."""

    def served(*, people=True, **queue):
        settings = pages_settings(redis_server.url, topic_prefix, tmp_path, **queue)
        return served_pages(settings, TASKS, people=people)

    return served


@pytest.fixture
async def pages(serve):
    async with serve() as running:
        yield running


async def opened(client, pages, name):
    """Follow the one-time link and send its form, as somebody who calls themselves ``name``."""
    page = await client.get("/welcome", params={"token": pages.site.welcome.token})
    fields = {**hidden(page.text), "name": name, "password": PASSWORD}
    return lambda: client.post("/welcome", data=fields)


def accounts_of(pages):
    return Accounts(pages.site.queue.accounts)


async def test_a_one_time_link_makes_one_account_however_many_use_it_at_once(serve):
    async with serve(people=False) as pages, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(pages)) for _ in range(6)]
        sends = [await opened(client, pages, f"lead{n}") for n, client in enumerate(clients)]
        answers = await asyncio.gather(*(send() for send in sends))
        made = accounts_of(pages).all()
    assert sorted(answer.status_code for answer in answers) == [303] + [401] * 5
    assert len(made) == 1


async def test_a_link_is_not_used_up_by_a_password_that_is_too_short(serve):
    async with serve(people=False) as pages, client_of(pages) as client:
        page = await client.get("/welcome", params={"token": pages.site.welcome.token})
        fields = {**hidden(page.text), "name": "ann", "password": "short"}
        refused = await client.post("/welcome", data=fields)
        taken = await client.post("/welcome", data={**fields, "password": PASSWORD})
    assert (refused.status_code, taken.status_code) == (400, 303)


async def test_another_servers_link_makes_no_second_first_account(serve):
    """Two servers share the accounts; each printed a link of its own."""
    async with serve(people=False) as pages, client_of(pages) as client:
        send = await opened(client, pages, "second")
        accounts_of(pages).add("first", PASSWORD, lead=True)
        answer = await send()
        names = [account.name for account in accounts_of(pages).all()]
    assert (answer.status_code, names) == (401, ["first"])


def test_the_first_account_is_the_first_also_in_the_file(tmp_path):
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("first", PASSWORD, only_first=True)
    with pytest.raises(AccountError):
        accounts.add("second", PASSWORD, only_first=True)


async def test_an_account_that_is_made_again_revives_no_session(pages):
    async with client_of(pages) as client:
        await Reviewer(client).sign_in("bob")
        before = await client.get(PROGRESS)
        accounts_of(pages).remove("bob")
        accounts_of(pages).add("bob", PASSWORD)
        after = await client.get(PROGRESS)
    assert (before.status_code, after.status_code) == (200, 401)


async def answers_before_and_after(pages, change, **token):
    """Return what a program of ann's is answered before and after something happens to her tokens."""
    accounts = accounts_of(pages)
    async with client_of(
        pages, Authorization=f"Bearer {accounts.issue_token('ann', **token)}"
    ) as c:
        before = await c.get(PROGRESS)
        change(accounts)
        return before.status_code, (await c.get(PROGRESS)).status_code


def revoke_all(accounts):
    for token in accounts.get("ann").tokens:
        accounts.revoke_token("ann", token.id)


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.reset("ann", PASSWORD),
        lambda accounts: accounts.end_sessions("ann", tokens=True),
        revoke_all,
    ],
    ids=["new password", "signed out everywhere", "revoked"],
)
async def test_a_token_ends_with(pages, change):
    assert await answers_before_and_after(pages, change) == (200, 401)


async def test_a_token_ends_with_its_time(serve):
    async with serve() as pages:
        expired = accounts_of(pages).issue_token("ann", timedelta(seconds=-1))
        async with client_of(pages, Authorization=f"Bearer {expired}") as client:
            answer = await client.get(PROGRESS)
    assert answer.status_code == 401


def test_a_token_of_an_older_release_is_listed_and_still_opens(tmp_path):
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("ann", PASSWORD)
    secret = accounts.issue_token("ann")
    (token,) = accounts.get("ann").tokens
    kept = (tmp_path / "accounts.json").read_text()
    start, end = kept.index('"tokens"'), kept.rindex("]") + 1
    older = kept[:start] + f'"tokens": ["{token.digest}"]' + kept[end:]
    (tmp_path / "accounts.json").write_text(older)
    read = Accounts(tmp_path / "accounts.json")
    assert read.by_token(secret).name == "ann"
    assert [(t.id, t.expires) for t in read.get("ann").tokens] == [(token.id, None)]


def test_ended_tokens_leave_the_list_when_a_new_one_is_made(tmp_path):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    accounts = Accounts(tmp_path / "accounts.json", lambda: now[0])
    accounts.add("ann", PASSWORD)
    accounts.issue_token("ann", timedelta(days=1), "old")
    now[0] += timedelta(days=2)
    accounts.issue_token("ann", timedelta(days=1), "new")
    assert [token.note for token in accounts.get("ann").tokens] == ["new"]


@pytest.mark.parametrize(
    "headers",
    [
        [("X-User", "ann"), ("X-User", "bob"), ("X-Proxy-Secret", SECRET)],
        [("X-User", "bob"), ("X-Proxy-Secret", "guessed"), ("X-Proxy-Secret", SECRET)],
        [("X-User", "bob"), ("X-Proxy-Secret", SECRET), ("X-Proxy-Secret", SECRET)],
    ],
    ids=["name", "secret", "same secret"],
)
async def test_a_proxys_header_that_came_twice_names_nobody(serve, headers):
    """A proxy that adds its header behind the visitor's own must not let the visitor choose."""
    async with serve(**BEHIND_PROXY) as pages, client_of(pages) as client:
        answer = await client.get(PROGRESS, headers=headers)
    assert answer.status_code == 401


async def test_two_bearer_tokens_are_none(pages):
    token = accounts_of(pages).issue_token("ann")
    headers = [("Authorization", "Bearer rq_guessed"), ("Authorization", f"Bearer {token}")]
    async with client_of(pages) as client:
        answer = await client.get(PROGRESS, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("host", ["127.0.0.1:8400", "10.1.2.3:8400", "queue.example"])
async def test_probes_are_answered_by_whatever_name_they_come(serve, path, host):
    """Kubernetes asks the pod's address, compose's health check asks loopback."""
    async with serve(**IN_A_CONTAINER) as pages, client_of(pages) as client:
        answer = await client.get(path, headers={"Host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/sign-in", "/", PROGRESS, "/livez/../sign-in", "/readyz/"])
async def test_pages_are_not_answered_by_another_name(serve, path):
    async with serve(**IN_A_CONTAINER) as pages, client_of(pages) as client:
        answer = await client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 421


async def test_signing_in_gives_the_browser_a_new_visit(pages):
    """Forms are bound to it: whoever planted one in this browser beforehand would know it."""
    cookie = pages.site.visit_cookie
    async with client_of(pages) as client:
        client.cookies.set(cookie, "planted", domain="127.0.0.1")
        await Reviewer(client).sign_in("ann")
        (visit,) = {c.value for c in client.cookies.jar if c.name == cookie}
        planted = pages.site.sessions.form_token("planted", "ann")
        refused = await client.post("/skip", data={"csrf": planted})
    assert visit != "planted"
    assert refused.status_code == 403


async def sign_ins(pages, name, password, times, **headers):
    """Try a password as somebody without a cookie; return the last answer."""
    async with client_of(pages, **headers) as client:
        person = Reviewer(client)
        for _ in range(times):
            answer = await person.sign_in(name, password)
        return answer


async def known_browser(pages, stack, name):
    """Sign somebody in and out again, and return their browser."""
    client = await stack.enter_async_context(client_of(pages))
    await Reviewer(client).sign_in(name)
    page = await client.get("/")
    out = await client.post("/sign-out", data={"csrf": hidden(page.text)["csrf"]})
    assert out.status_code == 303
    return Reviewer(client)


async def test_wrong_passwords_in_somebodys_name_do_not_shut_them_out(serve):
    async with serve(sign_in_attempts=2) as pages, contextlib.AsyncExitStack() as stack:
        ann = await known_browser(pages, stack, "ann")
        attacker = await sign_ins(pages, "ann", "a wrong one", 3)
        stranger = await sign_ins(pages, "ann", PASSWORD, 1)
        hers = await ann.sign_in("ann")
    assert [answer.status_code for answer in (attacker, stranger, hers)] == [429, 429, 303]
    assert 0 < int(attacker.headers["retry-after"]) <= 15
    assert "Попробуйте снова через" in attacker.text


async def test_wrong_passwords_for_everybody_do_not_shut_a_team_out_behind_its_proxy(serve):
    """Everybody has the proxy's address there."""
    async with serve(sign_in_attempts=1) as pages, contextlib.AsyncExitStack() as stack:
        bob = await known_browser(pages, stack, "bob")
        tries = [await sign_ins(pages, f"nobody{n}", "wrong", 1) for n in range(11)]
        his = await bob.sign_in("bob")
    assert [answer.status_code for answer in tries] == [401] * 10 + [429]
    assert his.status_code == 303


async def test_a_known_browser_is_held_up_by_its_own_wrong_passwords(serve):
    async with serve(sign_in_attempts=2) as pages, contextlib.AsyncExitStack() as stack:
        ann = await known_browser(pages, stack, "ann")
        answers = [(await ann.sign_in("ann", "a wrong one")).status_code for _ in range(3)]
    assert answers == [401, 401, 429]


async def test_one_persons_browser_is_no_help_against_another(serve):
    async with serve(sign_in_attempts=2) as pages, contextlib.AsyncExitStack() as stack:
        bob = await known_browser(pages, stack, "bob")
        answers = [(await bob.sign_in("ann", "a wrong one")).status_code for _ in range(3)]
    assert answers == [401, 401, 429]


async def test_a_new_password_forgets_the_browsers(serve):
    async with serve(sign_in_attempts=1) as pages, contextlib.AsyncExitStack() as stack:
        bob = await known_browser(pages, stack, "bob")
        accounts_of(pages).reset("bob", PASSWORD + " new")
        await sign_ins(pages, "bob", "a wrong one", 1)
        answer = await bob.sign_in("bob", PASSWORD + " new")
    assert answer.status_code == 429


def through_proxy(address, secret=SECRET):
    return {"X-Proxy-Secret": secret, "X-Forwarded-For": address}


async def test_a_proxy_with_a_secret_tells_visitors_apart(serve):
    async with serve(sign_in_attempts=1, proxy_secret=SECRET) as pages:
        attacker = [
            await sign_ins(pages, "ann", "wrong", 1, **through_proxy("192.0.2.7")) for _ in "12"
        ]
        ann = await sign_ins(pages, "ann", PASSWORD, 1, **through_proxy("192.0.2.8"))
    assert [answer.status_code for answer in (*attacker, ann)] == [401, 429, 303]


@pytest.mark.parametrize(
    "escape",
    [
        lambda n: through_proxy(f"10.0.0.{n}, 192.0.2.7"),
        lambda n: through_proxy(f"2001:db8::{n}"),
        lambda n: through_proxy(f"not-an-address-{n}"),
        lambda n: through_proxy(f"10.0.0.{n}", secret="guessed"),
    ],
    ids=["before the proxy's word", "one IPv6 network", "no address", "wrong secret"],
)
async def test_a_made_up_address_escapes_no_wait(serve, escape):
    async with serve(sign_in_attempts=1, proxy_secret=SECRET) as pages:
        answers = [await sign_ins(pages, "ann", "wrong", 1, **escape(n)) for n in (1, 2)]
    assert [answer.status_code for answer in answers] == [401, 429]


async def test_a_name_of_a_megabyte_is_neither_kept_nor_sent_back(pages):
    async with client_of(pages) as client:
        answer = await Reviewer(client).sign_in("a" * 900_000)
    assert answer.status_code == 401
    assert len(answer.content) < 10_000
