"""The monitor's server under attack: foreign names and pages, guesses, plain HTTP, sign-outs."""

import asyncio

import aiohttp
import pytest

from stream.errors import ConfigError
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import COOKIE, MonitorServer
from stream.settings import MonitorSettings
from tests.support.watched_pipeline import watched_engine

TOKEN = "a-token-of-the-test"
PUBLIC = "https://monitor.example"
HEADERS = {"Host": "monitor.example"}


@pytest.fixture(scope="module")
def engine():
    return watched_engine(5)


@pytest.fixture
async def client():
    # Cookies are handed over by the tests: they come from addresses and are marked for TLS.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def server_of(engine, **settings):
    registry = MonitorMetrics(engine).registry
    chosen = MonitorSettings(**{"port": 0, "token": TOKEN, **settings})
    return MonitorServer(chosen, engine, registry, dict)


@pytest.fixture
async def server(engine):
    async with server_of(engine) as running:
        yield running


@pytest.fixture
async def beyond(engine):
    """Return a server that listens everywhere, behind a proxy with TLS."""
    async with server_of(engine, host="0.0.0.0", public_url=PUBLIC) as running:
        yield running


def at(server, path):
    return f"http://127.0.0.1:{server.port}{path}"


async def sign_in(client, server, **headers):
    """Return the cookies of a new session."""
    async with client.post(at(server, "/session"), data=TOKEN, headers=headers) as answer:
        assert answer.status == 204
        return {name: morsel.value for name, morsel in answer.cookies.items()}


@pytest.mark.parametrize("public_url", [None, "http://monitor.example"])
async def test_it_does_not_start_where_tokens_would_cross_a_network_in_the_clear(
    engine, public_url
):
    with pytest.raises(ConfigError, match="tokens would cross the network in the clear"):
        async with server_of(engine, host="0.0.0.0", public_url=public_url):
            pass


@pytest.mark.parametrize("path", ["/", "/session", "/events", "/metrics", "/page/page.js"])
async def test_a_page_that_points_its_own_name_at_us_is_answered_nothing(client, server, path):
    async with client.get(at(server, path), headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421
        assert "unknown host" in await answer.text()


async def test_beyond_loopback_only_the_public_name_is_answered(client, beyond):
    for host, status in (("monitor.example", 200), ("127.0.0.1", 421), ("evil.example", 421)):
        async with client.get(at(beyond, "/"), headers={"Host": host}) as answer:
            assert answer.status == status


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_prometheus_reach_a_container_by_its_address(client, beyond, path):
    async with client.get(at(beyond, path)) as answer:
        assert answer.status == 200


async def test_behind_tls_cookies_are_for_tls_and_this_host_alone(client, beyond):
    async with client.post(at(beyond, "/session"), data=TOKEN, headers=HEADERS) as answer:
        morsel = answer.cookies[f"__Host-{COOKIE}"]
        assert morsel["secure"]
        assert morsel["httponly"]
        assert morsel["samesite"] == "Strict"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "foreign", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)
async def test_another_sites_page_signs_nobody_in_or_out(client, server, method, foreign):
    cookies = await sign_in(client, server)
    async with client.request(
        method, at(server, "/session"), data=TOKEN, headers=foreign, cookies=cookies
    ) as answer:
        assert answer.status == 403
        assert not answer.cookies
    async with client.get(at(server, "/session"), cookies=cookies) as answer:
        assert answer.status == 204


async def test_ten_guesses_are_answered_and_no_more(client, server):
    codes = []
    for attempt in range(12):
        async with client.post(at(server, "/session"), data=f"guess {attempt}") as answer:
            codes.append(answer.status)
    assert codes == [403] * 9 + [429] * 3


async def test_guesses_keep_out_neither_a_known_browser_nor_a_link(client, server):
    known = await sign_in(client, server)
    for attempt in range(12):
        await client.post(at(server, "/session"), data=f"guess {attempt}")
    async with client.post(at(server, "/session"), data=TOKEN) as answer:
        assert answer.status == 429
    async with client.post(at(server, "/session"), data=TOKEN, cookies=known) as answer:
        assert answer.status == 204
    link = server.access.new_link_key()
    async with client.post(at(server, "/session"), data=link) as answer:
        assert answer.status == 204


async def test_signing_out_ends_the_session_and_what_it_listens_to(client, server):
    cookies, other = await sign_in(client, server), await sign_in(client, server)
    async with client.get(at(server, "/events"), cookies=cookies) as events:
        await events.content.readuntil(b"event: state")
        async with client.delete(at(server, "/session"), cookies=cookies) as answer:
            assert answer.status == 204
            assert answer.cookies[COOKIE].value == ""
        async with asyncio.timeout(60):
            await events.read()  # the stream ends
    async with client.get(at(server, "/session"), cookies=cookies) as answer:
        assert answer.status == 403
    async with client.get(at(server, "/session"), cookies=other) as answer:
        assert answer.status == 204
