"""Nobody at the queue can tell an audit from another blind review, or learn what was published."""

import re

import pytest

from schemas import all_categories
from tests.support.queue import Reviewer, task
from tests.support.queue_pages import client_of, pages_settings, program, served_pages

PUBLISHED = all_categories()[3]
AUDIT = task(0, "первый чайник на кухню", PUBLISHED, 0.97, reason="audit")
ORDINARY = task(1, "второе синее платье", all_categories()[5], 0.5)
GUESSES = [
    {"category": PUBLISHED.slug},
    {"least": "0.9"},
    {"most": "0.6"},
    {"least": "0.1", "most": "1"},
]


@pytest.fixture
def serve(redis_server, topic_prefix, tmp_path):
    def served(blind_share):
        settings = pages_settings(
            redis_server.url, topic_prefix, tmp_path, blind_share=blind_share, second_share=0.0
        )
        return served_pages(settings, [AUDIT, ORDINARY])

    return served


def alike(answer, wanted):
    """Return what is said of a review, but for what names it."""
    review = wanted.review
    text = re.sub(r'name="(csrf|print)" value="[^"]*"|data-expires="\d+"', "", answer)
    for own in (review.review_id, review.text):
        text = text.replace(own, "…")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d|/r\d", "", text)


@pytest.mark.parametrize("address", ["/?item={}", "/?item={}&seen=true", "/?item={}&filter={}"])
async def test_an_audit_looks_like_any_blind_review(serve, address):
    cards = []
    async with serve(1.0) as pages, client_of(pages) as client:
        await Reviewer(client).sign_in("ann")
        for wanted in (AUDIT, ORDINARY):
            name = wanted.review.review_id
            page = (await client.get(address.format(name, PUBLISHED.slug))).text
            card = page[page.index('id="card"') : page.index("</section>")]
            assert wanted.review.text in card
            cards.append(alike(card, wanted))
    assert cards[0] == cards[1]
    assert "data-top" not in cards[0]


@pytest.mark.parametrize("guess", GUESSES, ids=str)
@pytest.mark.parametrize("blind_share", [0.0, 1.0])
async def test_no_search_by_the_models_guess_finds_what_is_blind(serve, guess, blind_share):
    async with serve(blind_share) as pages, program(pages) as client:
        found = (await client.get("/api/v1/waiting", params=guess)).json()
    names = {hit["review_id"] for hit in found}
    assert "r0" not in names
    assert not (blind_share and names)


@pytest.mark.parametrize("reason", ["", "low-confidence", "canary", "audit"])
async def test_no_search_by_reason_tells_an_audit(serve, reason):
    async with serve(1.0) as pages, client_of(pages) as client:
        await Reviewer(client).sign_in("ann")
        answer = (await client.get("/search", params={"reason": reason, "words": " "})).text
    assert (AUDIT.review.text in answer) == (ORDINARY.review.text in answer)
    assert "audit" not in answer.replace(f"reason={reason}", "").lower()


async def test_no_filter_on_the_desk_brings_an_audit(serve):
    async with serve(0.0) as pages, program(pages) as client:
        wanted = {"category": PUBLISHED.slug}
        item = (await client.post("/api/v1/next", json=wanted)).json()["item"]
    assert item is None


async def test_a_program_is_told_of_an_audit_what_it_is_told_of_any_blind_review(serve):
    async with serve(1.0) as pages, program(pages) as client:
        hits = (await client.get("/api/v1/waiting")).json()
        tasks = (await client.get("/api/v1/waiting/label-studio")).json()
        items = [(await client.post("/api/v1/next", json={})).json()["item"]]
        holding = {"holding": [items[0]["review_id"]]}
        items.append((await client.post("/api/v1/next", json=holding)).json()["item"])
    assert {item["review_id"] for item in items} == {"r0", "r1"}
    own = {"review_id", "text", "print", "queued_at", "expires"}
    for found in (hits, items):
        one, other = ({k: v for k, v in each.items() if k not in own} for each in found)
        assert one == other
    assert [set(each) for each in tasks] == [{"data"}, {"data"}]


async def test_the_figures_do_not_count_an_audit_under_what_was_published(serve):
    async with serve(0.0) as pages:
        report = await pages.site.statistics.report()
    assert (report.by_guess[PUBLISHED], report.waiting) == (0, 2)
