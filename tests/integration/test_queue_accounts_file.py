"""The file of accounts is damaged, or cannot be written, while a queue runs: nobody gets in, everybody is told."""

import pytest

from stream.queue.accounts import Accounts
from tests.support.queue import PASSWORD, Reviewer, hidden, task
from tests.support.queue_pages import client_of, pages_settings, program, served_pages


@pytest.fixture
def serve(redis_server, topic_prefix, tmp_path):
    def served(*, people=True):
        settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
        return served_pages(settings, [task(0)], people=people)

    return served


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[:100])


def empty(path):
    path.write_bytes(b"")


def write_over(path):
    path.write_bytes(b"\xff\xfe[[[[" + b"[" * 100_000)


def put_a_folder_there(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut_in_half, empty, write_over, put_a_folder_there])
async def test_a_damaged_file_lets_nobody_in_and_is_told_to_everybody(serve, damage):
    async with serve() as pages, client_of(pages) as ann, program(pages) as tool:
        await Reviewer(ann).sign_in("ann")
        damage(pages.site.queue.accounts)
        for client, path in ((ann, "/"), (ann, "/sign-in"), (tool, "/api/v1/progress")):
            answer = await client.get(path)
            assert answer.status_code == 503, path
            assert str(pages.site.queue.accounts) not in answer.text
        decided = await ann.post("/decide", data={"review_id": "r0"}, headers={"X-Partial": "1"})
        asked = await tool.post("/api/v1/next", json={})
        probes = [(await ann.get(path)).status_code for path in ("/livez", "/readyz")]
    assert [(a.status_code, a.json()["code"]) for a in (decided, asked)] == [(503, "accounts")] * 2
    assert probes == [200, 503]


async def test_a_restored_file_lets_everybody_in_again(serve):
    async with serve() as pages, client_of(pages) as ann:
        await Reviewer(ann).sign_in("ann")
        accounts = pages.site.queue.accounts
        kept = accounts.read_bytes()
        cut_in_half(accounts)
        damaged = await ann.get("/")
        accounts.write_bytes(kept)
        restored = await ann.get("/")
    assert (damaged.status_code, restored.status_code) == (503, 200)


@pytest.fixture
def unwritable(tmp_path):
    """Make a queue's accounts such that nobody can write them, root neither: a link is in the lock's place."""

    def block(pages):
        lock = pages.site.queue.accounts.with_suffix(".lock")
        lock.unlink(missing_ok=True)
        lock.symlink_to(tmp_path / "elsewhere")

    return block


async def test_a_sign_out_that_cannot_be_written_is_not_taken_for_one(serve, unwritable):
    async with serve() as pages, client_of(pages) as ann:
        await Reviewer(ann).sign_in("ann")
        csrf = hidden((await ann.get("/")).text)["csrf"]
        unwritable(pages)
        answer = await ann.post("/sign-out", data={"csrf": csrf})
        still = await ann.get("/")
    assert (answer.status_code, still.status_code) == (503, 200)
    assert "не прочитать или не записать" in answer.text


async def test_a_first_account_that_cannot_be_written_leaves_the_link_open(serve, unwritable):
    async with serve(people=False) as pages, client_of(pages) as client:
        page = await client.get("/welcome", params={"token": pages.site.welcome.token})
        fields = {**hidden(page.text), "name": "ann", "password": PASSWORD}
        unwritable(pages)
        refused = await client.post("/welcome", data=fields)
        pages.site.queue.accounts.with_suffix(".lock").unlink()
        made = await client.post("/welcome", data=fields)
        names = [account.name for account in Accounts(pages.site.queue.accounts).all()]
    assert (refused.status_code, made.status_code) == (503, 303)
    assert names == ["ann"]
