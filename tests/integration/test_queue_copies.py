"""Near-identical reviews that are decided in one go are so many decided reviews, and one decision."""

import pytest

from schemas import Category
from tests.support.queue import hidden, reviewer, task
from tests.support.queue_pages import pages_settings, program, served_pages

ALIKE = [task(20 + n, f"Отличный чайник, заказ {n} доставлен", Category("kids")) for n in range(4)]


@pytest.fixture
async def pages(redis_server, topic_prefix, tmp_path):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, second_share=1.0)
    async with served_pages(settings, [*ALIKE, task(1)]) as running:
        yield running


async def decide_together(pages, ann, leave_out=()):
    page = await ann.client.get("/similar?item=r20")
    chosen = [part.split('"')[0] for part in page.text.split('name="chosen" value="')[1:]]
    fields = {**hidden(page.text), "category": "footwear"}
    fields["chosen"] = [c for c in chosen if c.partition(" ")[2] not in leave_out]
    done = await ann.client.post("/bulk", data=fields, follow_redirects=True)
    assert done.status_code == 200
    return done


async def counted(pages):
    report = await pages.site.statistics.report()
    (ann,) = [one for one in report.reviewers if one.name == "ann"]
    return {
        "decided": ann.total,
        "compared with the model": report.bias.shown.of,
        "asked again": report.seconds_waiting,
        "waiting": report.waiting,
    }


async def test_copies_are_compared_and_asked_again_once_and_undo_takes_all_back(pages):
    async with reviewer(pages, "ann") as ann:
        done = await decide_together(pages, ann)
        once = await counted(pages)
        await ann.client.post("/take-back", data=hidden(done.text))
        back = await counted(pages)
    assert once == {
        "decided": 4, "compared with the model": 1, "asked again": 1, "waiting": 1,
    }  # fmt: skip
    assert back == {
        "decided": 0, "compared with the model": 0, "asked again": 0, "waiting": 5,
    }  # fmt: skip


async def test_if_the_review_that_led_there_is_left_out_another_one_stands_for_all(pages):
    async with reviewer(pages, "ann") as ann:
        await decide_together(pages, ann, leave_out={"r20"})
    assert {j.copy_of for j in pages.publisher.judgements} == {"r21"}
    assert (await counted(pages))["asked again"] == 1


async def test_what_a_search_found_is_decided_at_once_and_compared_with_nothing(pages):
    async with reviewer(pages, "ann") as ann:
        page = await ann.client.get("/search?category=kids")
        chosen = [part.split('"')[0] for part in page.text.split('name="chosen" value="')[1:]]
        fields = {"csrf": hidden(page.text)["csrf"], "category": "kids", "chosen": chosen}
        done = await ann.client.post("/bulk", data=fields, follow_redirects=True)
    assert done.status_code == 200
    assert len(chosen) == 4
    assert await counted(pages) == {
        "decided": 4, "compared with the model": 0, "asked again": 4, "waiting": 1,
    }  # fmt: skip


async def test_more_than_are_decided_at_once_are_refused_as_a_whole(pages):
    async with reviewer(pages, "ann") as ann:
        page = await ann.client.get("/similar?item=r20")
        fields = {
            **hidden(page.text),
            "category": "kids",
            "chosen": [f"x r{n}" for n in range(201)],
        }
        refused = await ann.client.post("/bulk", data=fields)
    assert refused.status_code == 400
    assert pages.publisher.acts == []


async def test_undo_of_the_whole_takes_back_nothing_else(pages):
    async with reviewer(pages, "ann") as ann, program(pages) as client:
        done = await decide_together(pages, ann)
        later = {"review_id": "r1", "category": "kids"}
        await client.post("/api/v1/decisions", json={"decisions": [later]})
        refused = await ann.client.post("/take-back", data=hidden(done.text))
        undone = await client.post("/api/v1/undo")
    assert refused.status_code == 409
    assert undone.json() == {"review_ids": ["r1"]}
