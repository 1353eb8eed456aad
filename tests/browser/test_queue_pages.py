"""The queue's pages in a real browser: keys, leases, bulk, languages, themes, phone, accessibility."""

import contextlib
import re
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from schemas import Category, ComparedOpinion, Judgement, Label, all_categories
from tests.support.chromium import needs_chromium, opened
from tests.support.desk_window import (
    press,
    shown,
    sign_in,
    until_another,
    until_keys_are_heard,
)
from tests.support.queue import TEXTS, task
from tests.support.queue_pages import pages_settings, served_pages

pytestmark = [pytest.mark.browser, needs_chromium]

CHECK = (Path(__file__).parents[1] / "support" / "accessibility.js").read_text(encoding="utf-8")
SECTIONS = ("/search?words=отличный", "/figures", "/history", "/files", "/guidelines", "/disputes")
PHONE = {"viewport": {"width": 390, "height": 844}}
TOUCHED = {**PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}
# A window of 1280x800 at 200%.
ZOOMED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}
ALIKE = [task(20 + n, f"Отличный чайник, заказ {n} доставлен", Category("kids")) for n in range(3)]


def label(review_id, text, category):
    """Return a decision that somebody made elsewhere."""
    return Label(
        review_id=review_id, text=text, category=category, decided_by="person", labeller="eve",
        codebook_version="1", revision=2,
    )  # fmt: skip


def against(review_id, first, said, second, other):
    """Return a second opinion that is not the first one's."""
    return Judgement(
        review_id=review_id,
        labeller=second,
        role="second",
        category=other,
        compared_with=ComparedOpinion(labeller=first, category=said),
        revision=2,
        codebook_version="1",
    )


@pytest_asyncio.fixture
async def pages(redis_server, topic_prefix, tmp_path):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    tasks = [task(number) for number in range(len(TEXTS))]
    async with served_pages(settings, [*tasks, *ALIKE]) as running:
        yield running


@pytest_asyncio.fixture
async def page(chromium, pages):
    async with opened(chromium) as window:
        await sign_in(window, pages.url)
        yield window


async def test_every_digit_is_its_category(page, pages):
    answered = [await press(page, str(number)) for number in range(1, 10)]
    await page.locator("#today", has_text="9").wait_for()
    said = {label.review_id: label.category for label in pages.publisher.labels}
    assert said == dict(zip(answered, all_categories(), strict=True))
    assert page.faults == []


async def test_keys_faster_than_the_server_never_show_a_review_twice(page, pages):
    answered = [await press(page, "1") for _ in range(len(TEXTS))]
    assert len(set(answered)) == len(answered)


async def test_two_windows_of_two_people_hold_different_reviews(page, pages, chromium):
    async with opened(chromium) as other:
        await sign_in(other, pages.url, "bob")
        assert await shown(other) != await shown(page)


async def test_skipping_brings_the_next_and_decides_nothing(page, pages):
    await press(page, "s")
    assert pages.publisher.acts == []


async def test_undo_shows_the_same_review_again(page, pages):
    first = await press(page, "3")
    await page.locator("#today", has_text="1").wait_for()
    again = page.locator(f'#card[data-id="{first}"]')
    while not await again.count():  # a key is not heard while an answer is under way
        await page.keyboard.press("u")
        with contextlib.suppress(PlaywrightTimeoutError):
            await again.wait_for(timeout=3_000)
    assert [x.withdrawn for x in pages.publisher.labels] == [False, True]


async def test_the_keys_can_be_switched_off(page, pages):
    await page.uncheck("#keys-on")
    before = await shown(page)
    await page.keyboard.press("1")
    await page.reload()
    assert not await page.is_checked("#keys-on")
    assert await shown(page) == before
    assert pages.publisher.acts == []


async def test_a_blind_review_shows_no_opinion_of_the_model(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, blind_share=1.0)
    async with served_pages(settings, [task(1)]) as pages, opened(chromium) as window:
        await sign_in(window, pages.url)
        assert "%" not in await window.locator("#card").inner_text()
        assert await window.locator("[data-top], #card progress").count() == 0
        await window.keyboard.press("2")
        await window.wait_for_selector('#card[data-id=""]')
        assert [j.shown_blind for j in pages.publisher.judgements] == [True]


async def test_near_identical_reviews_are_seen_before_they_are_decided_together(page, pages):
    await page.goto(f"{pages.url}/similar?item=r20")
    boxes = page.locator("[name=chosen]")
    assert await boxes.count() == len(ALIKE)
    await page.keyboard.press("x")
    assert await page.locator("[data-needs-picked]:enabled").count() == 0
    await page.keyboard.press("a")
    await boxes.last.uncheck()
    await page.locator("#picked", has_text="Отмечено: 2 из 3").wait_for()
    await page.keyboard.press("1")
    await page.locator("h1", has_text="Решено: 2").wait_for()
    assert {x.category for x in pages.publisher.labels} == {Category("household-appliances")}
    # Loaded again it says the same, and decides nothing.
    await page.reload()
    await page.keyboard.press("u")
    await page.wait_for_selector("#card")
    assert [x.withdrawn for x in pages.publisher.labels] == [False, False, True, True]


async def test_back_after_a_bulk_decision_leads_on(page, pages):
    await page.goto(f"{pages.url}/similar?item=r20")
    await page.keyboard.press("1")
    await page.locator("h1", has_text="Решено: 3").wait_for()
    await page.go_back()
    await page.locator("#card .notice a").wait_for()
    assert await shown(page) not in {"", "r20"}
    assert len(pages.publisher.acts) == len(ALIKE)


@pytest.mark.parametrize("size", [{}, TOUCHED, ZOOMED], ids=["desktop", "phone", "zoomed"])
async def test_what_decides_many_is_within_reach_however_many_they_are(
    chromium, redis_server, topic_prefix, tmp_path, size
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    many = [task(n, f"Отличный чайник, заказ {n} доставлен", Category("kids")) for n in range(40)]
    async with served_pages(settings, many) as pages, opened(chromium, **size) as window:
        await sign_in(window, pages.url)
        await window.goto(f"{pages.url}/similar?item=r0")
        box = await window.locator("[data-key='1']").bounding_box()
        assert box["y"] + box["height"] <= window.viewport_size["height"]
        assert (await window.locator("[name=chosen]").first.bounding_box())["y"] < box["y"]


async def test_a_blind_review_is_not_decided_beforehand_among_its_copies(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, blind_share=1.0)
    async with served_pages(settings, ALIKE) as pages, opened(chromium) as window:
        await sign_in(window, pages.url)
        await window.goto(f"{pages.url}/similar?item=r20")
        assert await window.locator(".guess, option[selected]").count() == 0
        await window.keyboard.press("2")
        await window.locator("h1", has_text="Решено: 3").wait_for()
        assert {j.shown_blind for j in pages.publisher.judgements} == {True}


async def test_search_finds_and_opens(page, pages):
    await page.goto(f"{pages.url}/search?words=сапоги промокли")
    await page.locator(".texts a").first.click()
    assert await shown(page) == "r1"


async def test_the_search_page_lists_what_waits_before_anything_is_typed(page, pages):
    await page.goto(f"{pages.url}/search")
    assert await page.locator(".texts li").count() == len(TEXTS) + len(ALIKE)
    await page.locator("main [role=status]", has_text=f"Ждут: {len(TEXTS) + len(ALIKE)}").wait_for()


async def test_a_decision_is_corrected_from_the_history_and_put_back(page, pages):
    decided = await shown(page)
    await page.keyboard.press("1")
    await until_another(page, decided)
    await page.goto(f"{pages.url}/history")
    async with page.expect_navigation():
        await page.click(f"main td a:has-text('{decided}')")
    await page.keyboard.press("2")
    await page.locator(".notice", has_text="Исправлено").wait_for()
    assert [x.category for x in pages.publisher.labels] == list(all_categories())[:2]
    await page.click(".notice button")
    await page.locator(".badge", has_text=all_categories()[0].info.name("ru")).wait_for()
    assert pages.publisher.labels[-1].category == all_categories()[0]


async def test_what_a_search_finds_is_ticked_and_decided_at_once(page, pages):
    await page.goto(f"{pages.url}/search?words=отличный чайник")
    await page.focus("main h1 ~ form .texts input, .texts input")
    await page.keyboard.press("a")
    await page.locator("#picked", has_text="Отмечено: 3 из 3").wait_for()
    await page.keyboard.press("1")
    await page.locator("h1", has_text="Решено: 3").wait_for()
    assert {x.review_id for x in pages.publisher.labels} == {"r20", "r21", "r22"}


async def test_one_searches_on_beyond_the_first_hundred(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    many = [task(n, f"Чайник номер {n} кипит долго") for n in range(130)]
    async with served_pages(settings, many) as pages, opened(chromium) as window:
        await sign_in(window, pages.url)
        await window.goto(f"{pages.url}/search?words=чайник")
        assert await window.locator(".texts li").count() == 100
        async with window.expect_navigation():
            await window.click("text=Показать ещё")
        assert await window.locator(".texts li").count() == 130


async def test_the_latest_answers_lie_at_hand_and_the_goal_is_remembered(page, pages):
    await page.fill("#goal", "2")
    await page.locator("#goal").blur()
    first = await shown(page)
    await page.click("#card .note summary")
    await page.fill("#card [name=note]", "упаковка мятая")
    await page.locator("#card [data-key='1']").click()
    await until_another(page, first)
    await page.locator("#today", has_text="1 / 2").wait_for()
    assert pages.publisher.labels[0].note == "упаковка мятая"
    link = page.locator(f"#latest li[data-review='{first}'] a")
    await page.reload()
    await page.locator("#today", has_text="1 / 2").wait_for()
    async with page.expect_navigation():
        await link.click()
    await page.locator("text=упаковка мятая").wait_for()


async def test_a_filter_shows_only_its_category(page, pages):
    await page.goto(f"{pages.url}/?filter=kids")
    await until_keys_are_heard(page)
    seen = [await press(page, "6") for _ in range(2)]
    assert set(seen) <= {"r5", *(t.review.review_id for t in ALIKE)}


async def test_a_disagreement_is_for_leads(chromium, pages):
    async with opened(chromium) as window:
        await sign_in(window, pages.url, "bob")
        answer = await window.goto(f"{pages.url}/disputes")
        assert answer.status == 403


async def test_english_is_one_button_away_and_complete(page, pages):
    async with page.expect_navigation():
        await page.click("[name=language]")
    for address in ("/", *SECTIONS):
        await page.goto(pages.url + address)
        text = await page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => !e.closest('[lang=ru]'))"
            ".flatMap(e => [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data)).join(' ')"
        )
        assert not re.search("[а-яё]", text, re.IGNORECASE), address


@pytest.mark.parametrize(
    ("theme", "size"),
    [("light", {}), ("dark", TOUCHED), ("light", ZOOMED)],
    ids=["desktop", "phone", "zoomed"],
)
async def test_every_page_is_accessible(chromium, pages, theme, size):
    async with opened(chromium, color_scheme=theme, **size) as window:
        await window.goto(f"{pages.url}/sign-in")
        faults = [f"/sign-in: {fault}" for fault in await window.evaluate(CHECK)]
        await sign_in(window, pages.url)
        for address in ("/", "/similar?item=r20", *SECTIONS):
            await window.goto(pages.url + address)
            faults += [f"{address}: {fault}" for fault in await window.evaluate(CHECK)]
            width = await window.evaluate("document.documentElement.scrollWidth")
            if width > window.viewport_size["width"]:
                faults.append(f"{address}: scrolls sideways")
        assert faults == []
        assert window.faults == []


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_on_a_phone_every_page_is_within_reach(chromium, pages, language):
    async with opened(chromium, **TOUCHED) as window:
        await sign_in(window, pages.url)
        if language == "en":
            async with window.expect_navigation():
                await window.click("[name=language]")
        links = window.locator("nav a")
        for number in range(await links.count()):
            box = await links.nth(number).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390, await links.nth(number).inner_text()


async def test_an_address_of_what_became_a_disagreement_leads_on(chromium, pages):
    await pages.file_judgements(
        [against("r1", "eve", Category("footwear"), "ann", Category("kids"))]
    )
    await pages.file_labels([label("r1", TEXTS[1], Category("footwear"))])
    async with opened(chromium) as window:
        await sign_in(window, pages.url, "bob")
        await window.goto(f"{pages.url}/?item=r1")
        assert await shown(window) not in {"", "r1"}
        assert await window.locator("#card .notice").is_visible()


@pytest.mark.parametrize("size", [{}, TOUCHED], ids=["desktop", "phone"])
async def test_on_the_page_of_disagreements_everybodys_word_stands_apart(chromium, pages, size):
    await pages.file_judgements(
        [against("r1", "bob", Category("footwear"), "eve", Category("kids"))]
    )
    async with opened(chromium, **size) as window:
        await sign_in(window, pages.url)
        await window.goto(f"{pages.url}/disputes")
        words = window.locator(".opinions dt, .opinions dd")
        assert await words.all_inner_texts() == ["bob", "обувь", "eve", "товары для детей"]
        boxes = [await words.nth(number).bounding_box() for number in range(4)]
    for name, word in (boxes[:2], boxes[2:]):
        assert word["x"] - (name["x"] + name["width"]) >= 8
    assert boxes[2]["y"] >= boxes[0]["y"] + boxes[0]["height"]


async def test_a_long_review_is_whole_on_a_phone_and_elsewhere_its_end_is_marked(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    long = task(1, "Очень длинный отзыв о сапогах, которые промокли. " * 60)
    cut = "text => [text.scrollHeight > text.clientHeight + 1, getComputedStyle(text).backgroundImage]"
    async with served_pages(settings, [long]) as pages:
        for size, is_cut in ((TOUCHED, False), (ZOOMED, False), ({}, True)):
            async with opened(chromium, **size) as window:
                await sign_in(window, pages.url)
                hidden, marks = await window.locator("#text").evaluate(cut)
                assert hidden is is_cut
                assert not hidden or "gradient" in marks


async def test_at_twice_the_size_the_keys_are_still_told_and_on_a_phone_they_are_not(
    chromium, pages
):
    for size, told in ((ZOOMED, True), (TOUCHED, False)):
        async with opened(chromium, **size) as window:
            await sign_in(window, pages.url)
            assert await window.locator(".choice kbd").first.is_visible() is told
            assert await window.locator(".keys").is_visible() is told


async def test_the_theme_can_be_chosen(page):
    async with page.expect_navigation():  # it is a form: the page comes anew
        await page.click("[name=theme][value=dark]")
    back = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(back) == "rgb(20, 23, 28)"


async def test_tab_reaches_every_control_and_shows_where_it_is(page):
    reached = set()
    for _ in range(45):
        await page.keyboard.press("Tab")
        name, outline, tab_index = await page.evaluate(
            "[document.activeElement.value || document.activeElement.tagName,"
            " getComputedStyle(document.activeElement).outlineStyle,"
            " document.activeElement.tabIndex]"
        )
        reached.add(name)
        # Below 0: no control, but where a page that has just come puts the focus, or its body.
        assert outline != "none" or tab_index < 0, name
    assert {category.slug for category in all_categories()} <= reached


async def test_the_page_works_without_scripts(chromium, pages):
    async with opened(chromium, java_script_enabled=False) as window:
        await sign_in(window, pages.url, scripts=False)
        before = await shown(window)
        await window.click("[data-key='4']")
        await until_another(window, before)
    assert [x.category for x in pages.publisher.labels] == [Category("tableware")]


async def test_a_form_from_elsewhere_is_refused(page, pages):
    answer = await page.request.post(
        f"{pages.url}/decide", form={"review_id": "r1", "category": "kids", "csrf": "guess"}
    )
    assert answer.status == 403
    assert pages.publisher.acts == []
