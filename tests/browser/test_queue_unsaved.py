"""Nothing that was decided is lost: an ended session, a lost network, Kafka away, a reload."""

import asyncio

import pytest
import pytest_asyncio

from schemas import Category
from stream.queue.accounts import Accounts
from tests.support.chromium import needs_chromium, opened
from tests.support.desk_window import press, shown, sign_in, until_another, until_keys_are_heard
from tests.support.queue import PASSWORD, TEXTS, task
from tests.support.queue_pages import pages_settings, served_pages

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest_asyncio.fixture
async def pages(redis_server, topic_prefix, tmp_path):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    async with served_pages(settings, [task(n) for n in range(len(TEXTS))]) as running:
        yield running


@pytest_asyncio.fixture
async def page(chromium, pages):
    async with opened(chromium) as window:
        await sign_in(window, pages.url)
        yield window


def end_session(pages, name="ann"):
    Accounts(pages.site.queue.accounts).end_sessions(name)


async def sign_in_again(window, name="ann"):
    await window.fill("[name=name]", name)
    await window.fill("[name=password]", PASSWORD)
    await window.click("main button")
    await window.wait_for_selector("#card, .actions")


async def until_decided(pages, count):
    async with asyncio.timeout(30):
        while len(pages.publisher.labels) < count:  # noqa: ASYNC110 - decided in another thread of events
            await asyncio.sleep(0.02)
    return [(label.review_id, label.category) for label in pages.publisher.labels]


async def test_a_decision_after_the_session_ended_is_kept_and_offered_after_signing_in(page, pages):
    end_session(pages)
    first = await press(page, "1")
    await page.locator("#state", has_text="хранится в этом браузере (1)").wait_for()
    assert pages.publisher.acts == []
    await page.click("#state a")
    await sign_in_again(page)
    offer = page.locator("#left")
    await offer.wait_for()
    assert first in await offer.inner_text()
    assert pages.publisher.acts == []
    await offer.locator("button", has_text="Сохранить").first.click()
    assert await until_decided(pages, 1) == [(first, Category("household-appliances"))]
    await page.reload()
    await until_keys_are_heard(page)
    assert await offer.is_hidden()


async def test_what_one_person_left_unsaved_is_not_offered_to_another(page, pages):
    end_session(pages)
    await press(page, "1")
    await page.click("#state a")
    await sign_in_again(page, "bob")
    await until_keys_are_heard(page)
    await page.evaluate(
        "() => navigator.locks.query()"
    )  # what the page asks first has been answered
    assert await page.locator("#left").is_hidden()
    await press(page, "2")
    ((review_id, category),) = await until_decided(pages, 1)
    assert category is Category("footwear")
    assert {j.labeller for j in pages.publisher.judgements} == {"bob"}
    assert review_id


async def test_signing_in_in_another_window_saves_what_the_first_one_kept(page, pages):
    end_session(pages)
    first = await press(page, "3")
    await page.locator("#state").wait_for()
    other = await page.context.new_page()
    await sign_in(other, pages.url)
    await page.bring_to_front()
    assert await until_decided(pages, 1) == [(first, Category("clothing"))]
    await page.locator("#state").wait_for(state="hidden")


async def test_without_network_decisions_are_kept_and_saved_when_it_is_back(page, pages):
    await page.wait_for_load_state("networkidle")
    await page.context.set_offline(True)
    first = await press(page, "1")
    second = await press(page, "2")
    await page.locator("#card h1", has_text="Ждём сервер").wait_for()
    assert "(2)" in await page.locator("#state").inner_text()
    assert pages.publisher.acts == []
    await page.context.set_offline(False)
    assert await until_decided(pages, 2) == [
        (first, Category("household-appliances")),
        (second, Category("footwear")),
    ]
    await page.wait_for_selector('#card:not([data-id=""])')
    assert await page.locator("#state").is_hidden()
    assert await shown(page) not in {first, second}
    await press(page, "3")  # the keys are heard again
    await until_decided(pages, 3)


async def test_what_kafka_did_not_take_is_said_and_saved_when_it_does(page, pages):
    pages.publisher.broken = True
    first = await press(page, "1")
    state = page.locator("#state")
    await state.wait_for()
    assert (await state.inner_text()).startswith("Не сохранено: Kafka не приняла решение")
    pages.publisher.broken = False
    assert await until_decided(pages, 1) == [(first, Category("household-appliances"))]
    await state.wait_for(state="hidden")


async def test_undo_waits_for_what_is_not_saved_yet_and_says_so(page, pages):
    await press(page, "1")
    await until_decided(pages, 1)
    pages.publisher.broken = True
    await press(page, "2")
    await page.locator("#state").wait_for()
    await page.keyboard.press("u")
    await page.locator("#message", has_text="отменить можно будет").wait_for()
    assert len(pages.publisher.acts) == 1


async def test_a_decision_that_the_server_will_never_take_is_said_with_the_way_back(page, pages):
    first = await shown(page)
    async with asyncio.timeout(30):
        await page.route(
            "**/decide",
            lambda route: route.fulfill(status=409, json={"code": "changed", "message": "Изменён"}),
        )
        await press(page, "1")
    message = page.locator("#message")
    await message.wait_for()
    assert (await message.inner_text()).startswith("Не сохранено: Изменён")
    await page.unroute("**/decide")
    await message.locator("a").click()
    await until_keys_are_heard(page)
    assert await shown(page) == first


async def test_refusals_stay_until_they_are_put_away_however_quick_the_keys_are(page, pages):
    await page.route(
        "**/decide",
        lambda route: route.fulfill(status=409, json={"code": "decided", "message": "Решён"}),
    )
    refused = [await press(page, str(key)) for key in (1, 2, 3)]
    lines = page.locator("#message p")
    await lines.nth(2).wait_for()
    await page.unroute("**/decide")
    await page.reload()
    await until_keys_are_heard(page)
    assert [await line.get_attribute("data-review") for line in await lines.all()] == refused
    await lines.first.locator("button").click()
    await page.reload()
    await until_keys_are_heard(page)
    assert [await line.get_attribute("data-review") for line in await lines.all()] == refused[1:]
    assert "обувь" in await lines.first.inner_text()
    await lines.first.locator("a").click()
    await until_keys_are_heard(page)
    assert await shown(page) == refused[1]
    assert await lines.count() == 1


async def test_a_reload_while_a_decision_is_under_way_loses_nothing(page, pages):
    held = asyncio.Event()

    async def hold(route):
        held.set()
        await asyncio.sleep(0)
        await route.abort()

    await page.route("**/decide", hold)
    first = await shown(page)
    await page.keyboard.press("1")
    await asyncio.wait_for(held.wait(), 30)
    await until_another(page, first)
    await page.unroute("**/decide")
    await page.reload()
    await until_keys_are_heard(page)
    offer = page.locator("#left button").first
    async with asyncio.timeout(30):
        while not pages.publisher.labels:  # sent by itself, or offered if its failure had been told
            if await offer.is_visible():
                await offer.click()
            await asyncio.sleep(0.05)
    assert [label.review_id for label in pages.publisher.labels] == [first]


async def test_without_scripts_a_decision_after_the_session_ended_is_offered_again(chromium, pages):
    async with opened(chromium, java_script_enabled=False) as window:
        await sign_in(window, pages.url, scripts=False)
        first = await shown(window)
        end_session(pages)
        await window.click("[data-key='4']")
        assert "не пропало" in await window.locator(".notice").inner_text()
        await sign_in_again(window)
        assert first in await window.locator("main ul").inner_text()
        await window.click("main button.primary")
        await until_another(window, first)
    assert await until_decided(pages, 1) == [(first, Category("tableware"))]


async def test_without_scripts_a_kept_decision_is_not_offered_to_another_person(chromium, pages):
    async with opened(chromium, java_script_enabled=False) as window:
        await sign_in(window, pages.url, scripts=False)
        end_session(pages)
        await window.click("[data-key='4']")
        await sign_in_again(window, "bob")
        assert await window.locator("#card").count() == 1
    assert pages.publisher.acts == []
