"""Clients that take their time, send without end or only hold a connection, against a running queue."""

import asyncio
import contextlib
import json

import pytest

from stream.web.connections import ClientLimits
from tests.support.pipeline import WAIT_SECONDS
from tests.support.queue import Reviewer, task
from tests.support.queue_pages import client_of, pages_settings, served_pages
from tests.support.raw_clients import connected, status_of, trickled, until_closed

SOON = 0.2
HEAD = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def serve(redis_server, topic_prefix, tmp_path):
    """Serve a queue of one review with limits of the test's own."""

    def served(**limits):
        settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
        return served_pages(settings, [task(0)], limits=ClientLimits(**limits))

    return served


async def signed_in(pages):
    async with client_of(pages) as client:
        return (await Reviewer(client).sign_in("ann")).status_code


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
async def test_who_sends_no_whole_head_is_hung_up_on(serve, sent):
    async with serve(head_seconds=SOON) as pages, connected(pages.port, sent) as (reader, _):
        assert await until_closed(reader) == b""


async def test_more_of_a_head_gives_it_no_more_time(serve):
    begun = b"GET / HTTP/1.1\r\n"
    async with serve(head_seconds=SOON) as pages, connected(pages.port, begun) as streams:
        assert await trickled(*streams, b"X-Slow: 1\r\n", SOON / 10) == b""


async def test_a_body_that_comes_too_slowly_is_refused(serve):
    sent = HEAD % b"/sign-in" + b"Content-Length: 1000\r\n\r\nname="
    async with serve(body_seconds=SOON) as pages, connected(pages.port, sent) as (reader, _):
        assert await status_of(reader) == 408
        await until_closed(reader)


async def test_what_follows_an_answer_unasked_is_not_listened_to_for_ever(serve):
    sent = HEAD % b"/api/v1/next" + b"Content-Length: 100000000\r\n\r\n"
    async with serve(head_seconds=SOON) as pages, connected(pages.port, sent) as (reader, writer):
        assert await status_of(reader) == 401
        await trickled(reader, writer, b"x", SOON / 10)


@pytest.mark.parametrize("path", [b"/api/v1/decisions", b"/import", b"/skip"])
async def test_nobodys_body_is_not_waited_for_where_it_cannot_matter(serve, path):
    sent = HEAD % path + b"Content-Length: 1000000\r\n\r\n"
    async with serve() as pages, connected(pages.port, sent) as (reader, _):
        assert await status_of(reader) in {303, 401}


@pytest.mark.parametrize("path", ["/sign-in", "/preferences"])
async def test_a_stranger_cannot_send_more_than_a_form_holds(serve, path):
    async def parts():
        for _ in range(40):
            yield b"a" * 65536

    form = {"content-type": "application/x-www-form-urlencoded"}
    async with serve() as pages, client_of(pages) as client:
        for body in (b"a" * (2 * 1024 * 1024), parts()):
            assert (await client.post(path, content=body, headers=form)).status_code == 413


async def test_an_import_may_be_larger_for_a_lead_alone(serve):
    row = {"review_id": "absent", "category": "kids", "note": "x" * 100_000}
    file = {"file": ("export.json", json.dumps([row] * 31).encode())}
    async with serve() as pages:
        answers = {}
        for name in ("ann", "bob"):
            async with client_of(pages) as client:
                person = Reviewer(client)
                await person.sign_in(name)
                page = await client.get("/files")
                csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
                answer = await client.post("/import", data={"csrf": csrf}, files=file)
                answers[name] = answer.status_code
    assert answers == {"ann": 200, "bob": 403}


async def test_what_strangers_half_send_takes_bounded_memory_and_keeps_no_sign_in_out(serve):
    half = HEAD % b"/sign-in" + b"Content-Length: 100000\r\n\r\n" + b"name=" + b"a" * 40_000
    async with serve(strangers_bytes=100_000) as pages, contextlib.AsyncExitStack() as stack:
        readers = [
            (await stack.enter_async_context(connected(pages.port, half)))[0] for _ in range(3)
        ]
        refused, _ = await asyncio.wait(
            [asyncio.ensure_future(status_of(reader)) for reader in readers],
            return_when=asyncio.FIRST_COMPLETED,
            timeout=WAIT_SECONDS,
        )
        assert [answer.result() for answer in refused] == [503]
        assert await signed_in(pages) == 303


async def test_too_many_connections_cost_the_oldest_idle_one_not_the_newcomer(serve):
    async with serve(connections=3) as pages, contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(pages.port, b"GET /")) for _ in range(3)]
        assert await signed_in(pages) == 303
        assert await until_closed(held[0][0]) == b""
        held[-1][1].write(b"livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert await status_of(held[-1][0]) == 200
