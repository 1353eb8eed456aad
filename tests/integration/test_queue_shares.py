"""A part of the queue is assigned to a person: they see it first, others are not given it."""

import pytest

from schemas import Category
from stream.queue.accounts import Accounts
from tests.support.command_line import reviews
from tests.support.queue import reviewer, task
from tests.support.queue_pages import pages_settings, program, served_pages

KIDS, FOOTWEAR = Category("kids"), Category("footwear")
TASKS = [task(n, best=KIDS if n in {2, 5} else FOOTWEAR) for n in range(7)]


@pytest.fixture
async def pages(redis_server, topic_prefix, tmp_path):
    # Everything would be blind, if it were nobody's share.
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, blind_share=1.0)
    async with served_pages(settings, TASKS) as running:
        yield running


def assign(pages, name, *categories):
    Accounts(pages.site.queue.accounts).assign(name, categories)


async def decided_in_turn(person, count):
    found = []
    for _ in range(count):
        card = await person.card()
        found.append(card.get("review_id"))
        if card:
            assert (await person.decide(card, FOOTWEAR)).status_code == 200
    return found


async def test_a_share_comes_first_and_nobody_else_is_given_it(pages):
    assign(pages, "ann", KIDS)
    async with reviewer(pages, "bob") as bob, reviewer(pages, "ann") as ann:
        others = await decided_in_turn(bob, 4)
        first = await decided_in_turn(ann, 3)
        nothing = await bob.card()
    assert not {"r2", "r5"} & set(others)
    assert set(first[:2]) == {"r2", "r5"}
    assert first[2] not in {"r2", "r5", *others}
    assert nothing == {}


async def test_a_share_is_taken_back_and_ends_with_the_account(pages):
    accounts = Accounts(pages.site.queue.accounts)
    async with reviewer(pages, "bob") as bob:
        assign(pages, "ann", KIDS, FOOTWEAR)
        assigned = await bob.card()
        assign(pages, "ann")
        taken_back = await bob.card()
        await bob.post("/skip", taken_back)
        assign(pages, "ann", KIDS, FOOTWEAR)
        again = await bob.card()
        accounts.remove("ann")
        removed = await bob.card()
    assert (assigned, again) == ({}, {})
    assert taken_back
    assert removed


async def test_who_asks_for_a_review_or_a_category_gets_it_all_the_same(pages):
    assign(pages, "ann", KIDS)
    async with reviewer(pages, "bob") as bob, program(pages, "bob") as tool:
        filtered = await bob.card("/?filter=kids")
        await bob.post("/skip", filtered)
        given = await tool.post("/api/v1/next", json={"category": "kids"})
    assert filtered["review_id"] in {"r2", "r5"}
    assert given.json()["item"]["review_id"] in {"r2", "r5"} - {filtered["review_id"]}


async def test_what_is_of_a_share_is_not_counted_as_blind(pages):
    assign(pages, "ann", KIDS)
    async with reviewer(pages, "ann") as ann:
        page = (await ann.client.get("/")).text
        await decided_in_turn(ann, 3)
    assert "Ваша доля" in page
    assert [judgement.shown_blind for judgement in pages.publisher.judgements] == [
        False,
        False,
        True,
    ]


def test_a_share_is_assigned_by_a_command_and_shown(pages):
    variables = {"REVIEWS_QUEUE__ACCOUNTS": str(pages.site.queue.accounts)}
    given = reviews("queue", "assign", "bob", "--category", "kids", **variables)
    shown = reviews("queue", "users", **variables)
    unknown = reviews("queue", "assign", "eve", "--category", "kids", **variables)
    assert given.returncode == 0, given.stderr
    assert ["bob", "reviewer", "0", "tokens", "kids"] in map(str.split, shown.stdout.splitlines())
    assert "no account eve" in unknown.stderr
