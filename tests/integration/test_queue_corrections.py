"""A decision can be corrected: by whoever made it, by a lead for others, and the correction taken back."""

import pytest

from schemas import Category
from tests.support.queue import add_people, hidden, task
from tests.support.queue_pages import pages_settings, program, served_pages

TASKS = [task(number) for number in range(3)]
KIDS, SHOES, WEAR = Category("kids"), Category("footwear"), Category("clothing")


@pytest.fixture
def serve(redis_server, topic_prefix, tmp_path):
    def served(**queue):
        settings = pages_settings(redis_server.url, topic_prefix, tmp_path, **queue)
        return served_pages(settings, TASKS)

    return served


async def decide(client, review_id, category, kind="first"):
    decision = {"review_id": review_id, "category": category.slug, "kind": kind}
    answer = await client.post("/api/v1/decisions", json={"decisions": [decision]})
    assert answer.json()["decided"] == [review_id], answer.text


async def correct(client, review_id, category, **more):
    body = {"review_id": review_id, "category": category.slug if category else None, **more}
    return await client.post("/api/v1/corrections", json=body)


def held(pages):
    return [(x.category, x.labeller, x.revision, x.withdrawn) for x in pages.publisher.labels]


async def test_a_correction_is_a_higher_revision_and_undo_puts_the_former_decision_back(serve):
    async with serve() as pages, program(pages, "bob") as bob:
        await decide(bob, "r0", KIDS)
        corrected = await correct(bob, "r0", SHOES)
        undone = await bob.post("/api/v1/undo")
        progress = (await bob.get("/api/v1/progress")).json()
    assert corrected.json() == {"review_id": "r0", "was": "kids", "labeller": "bob"}
    assert undone.json() == {"review_ids": ["r0"]}
    assert held(pages) == [
        (KIDS, "bob", 2, False),
        (SHOES, "bob", 3, False),
        (KIDS, "bob", 4, False),
    ]
    assert pages.publisher.acts[1].categorized.category == SHOES
    # One review was decided, however often it was decided anew.
    assert (progress["total"], progress["waiting"]) == (1, 2)


async def test_others_decisions_are_corrected_by_leads_only(serve):
    async with serve() as pages, program(pages, "ann") as ann, program(pages, "bob") as bob:
        await decide(ann, "r0", KIDS)
        await decide(bob, "r1", KIDS)
        refused = await correct(bob, "r0", SHOES)
        done = await correct(ann, "r1", SHOES)
        page = await bob.get("/api/v1/history")
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    assert done.json()["labeller"] == "bob"
    assert held(pages)[-1] == (SHOES, "ann", 3, False)
    assert [act["review_id"] for act in page.json()] == ["r1"]


async def test_a_correction_of_what_was_corrected_meanwhile_is_refused(serve):
    async with serve() as pages, program(pages, "ann") as ann, program(pages, "bob") as bob:
        await decide(bob, "r0", KIDS)
        await correct(ann, "r0", WEAR)
        late = await correct(ann, "r0", SHOES, revision=2)
        again = await correct(ann, "r0", WEAR, revision=2)
        waiting = await correct(ann, "r1", SHOES)
    assert (late.status_code, late.json()["code"]) == (409, "superseded")
    assert again.status_code == 200  # said again after a lost reply
    assert waiting.json()["code"] == "not-decided"
    assert len(pages.publisher.labels) == 2


async def test_who_disagrees_can_neither_settle_nor_correct_it(serve):
    async with (
        serve(second_share=1.0) as pages,
        program(pages, "ann") as ann,
        program(pages, "bob") as bob,
    ):
        await decide(bob, "r0", KIDS)
        await decide(ann, "r0", SHOES, "second")
        settling = {"review_id": "r0", "category": "footwear", "kind": "adjudication"}
        answer = await ann.post("/api/v1/decisions", json={"decisions": [settling]})
        by_lead = await correct(ann, "r0", SHOES)
        by_first = await correct(bob, "r0", SHOES)
    assert answer.json()["refused"] == {"r0": "own-dispute"}
    assert {by_lead.json()["code"], by_first.json()["code"]} == {"own-dispute"}
    assert held(pages) == [(KIDS, "bob", 2, False)]


async def test_a_second_opinion_is_compared_with_the_corrected_decision(serve):
    async with (
        serve(second_share=1.0) as pages,
        program(pages, "ann") as ann,
        program(pages, "bob") as bob,
    ):
        await decide(bob, "r0", KIDS)
        await correct(bob, "r0", SHOES)
        own = await bob.post("/api/v1/next", json={"holding": ["r1", "r2"]})
        await decide(ann, "r0", SHOES, "second")
        disputes = await ann.get("/disputes")
    assert own.json()["item"]["review_id"] != "r0"
    assert pages.publisher.judgements[-1].compared_with.category == SHOES
    assert TASKS[0].review.text not in disputes.text


async def test_taking_a_correction_back_asks_the_second_opinion_about_the_first_word_again(serve):
    async with (
        serve(second_share=1.0) as pages,
        program(pages, "ann") as ann,
        program(pages, "bob") as bob,
    ):
        await decide(bob, "r0", KIDS)
        await correct(bob, "r0", SHOES)
        await bob.post("/api/v1/undo")
        await decide(ann, "r0", KIDS, "second")
    assert pages.publisher.judgements[-1].compared_with.category == KIDS


async def test_a_note_stays_with_the_decision_and_reaches_whoever_settles_a_dispute(serve):
    async with (
        serve(second_share=1.0) as pages,
        program(pages, "ann") as ann,
        program(pages, "bob") as bob,
    ):
        body = {"review_id": "r0", "category": "kids", "note": "кукла в подарок"}
        await bob.post("/api/v1/decisions", json={"decisions": [body]})
        await correct(bob, "r0", SHOES)
        page = await bob.get("/decided?item=r0")
        add_people(pages.site.settings, "eve")
        async with program(pages, "eve") as eve:
            await decide(eve, "r0", KIDS, "second")
        disputes = await ann.get("/disputes")
    assert [x.note for x in pages.publisher.labels] == ["кукла в подарок"] * 2
    assert "кукла в подарок" in page.text
    assert "кукла в подарок" in disputes.text


async def test_the_page_of_a_decision_is_for_its_people_and_leads(serve):
    async with serve() as pages, program(pages, "ann") as ann, program(pages, "bob") as bob:
        await decide(ann, "r0", KIDS)
        strange = await bob.get("/decided?item=r0")
        own = await ann.get("/decided?item=r0")
        fields = hidden(own.text)
    assert strange.status_code == 403
    assert fields["revision"] == "2"
    assert TASKS[0].review.text in own.text


async def test_an_audit_that_was_corrected_and_put_back_is_decided_unseen_as_before(serve):
    async with serve(blind_share=1.0) as pages, program(pages, "bob") as bob:
        await decide(bob, "r0", KIDS)
        await correct(bob, "r0", SHOES)
        await bob.post("/api/v1/undo")
    assert [label.shown_blind for label in pages.publisher.labels] == [True, False, True]
