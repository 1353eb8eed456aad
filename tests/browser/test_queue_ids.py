"""Whatever a review's id holds, its review can be decided: with the script and without it."""

import pytest

from schemas import Category
from tests.support.chromium import needs_chromium, opened
from tests.support.desk_window import sign_in
from tests.support.queue import task
from tests.support.queue_pages import pages_settings, served_pages

pytestmark = [pytest.mark.browser, needs_chromium]

IDS = ["a\nb", "a\r\nb", "a\rb", "a\0b", " a%20b+c ", "ё/?&#\"'<b>", "\u2028🧵", "\x1b[2Jid"]
TEXT = "Отличный чайник, заказ {} доставлен"


def named(review_id, number, text=None):
    found = task(number, text)
    return found.model_copy(
        update={"review": found.review.model_copy(update={"review_id": review_id})}
    )


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_a_review_is_decided_whatever_its_id_holds(
    chromium, redis_server, topic_prefix, tmp_path, scripts
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    tasks = [named(review_id, number) for number, review_id in enumerate(IDS)]
    async with (
        served_pages(settings, tasks) as pages,
        opened(chromium, java_script_enabled=scripts) as window,
    ):
        await sign_in(window, pages.url, scripts=scripts)
        for _ in IDS:
            before = await window.locator("#card").get_attribute("data-id")
            await window.click("[data-key='4']")
            await window.wait_for_selector(f"#card:not([data-id='{before}'])")
        await window.locator("#today", has_text=str(len(IDS))).wait_for()
    decided = {label.review_id: label.category for label in pages.publisher.labels}
    assert decided == dict.fromkeys(IDS, Category("tableware"))


async def test_near_identical_reviews_are_decided_together_whatever_their_ids_hold(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    tasks = [named(review_id, n, TEXT.format(n)) for n, review_id in enumerate(IDS)]
    async with (
        served_pages(settings, tasks) as pages,
        opened(chromium, java_script_enabled=False) as window,
    ):
        await sign_in(window, pages.url, scripts=False)
        await window.click("a[href^='/similar']")
        await window.click("[name=category][value=tableware]")
        await window.locator("h1", has_text=f"Решено: {len(IDS)}").wait_for()
    assert {label.review_id for label in pages.publisher.labels} == set(IDS)
