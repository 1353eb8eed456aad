"""The desk with more categories than keys: the model's best nine, and all others by a few letters."""

from pathlib import Path

import pytest
import pytest_asyncio

from schemas import Category, ComparedOpinion, Judgement, Label, all_categories
from schemas.taxonomy import using
from tests.support.chromium import needs_chromium, opened
from tests.support.desk_window import press, shown, sign_in, until_another
from tests.support.queue import task
from tests.support.queue_pages import pages_settings, served_pages
from tests.support.taxonomies import helpdesk

pytestmark = [pytest.mark.browser, needs_chromium]

CHECK = (Path(__file__).parents[1] / "support" / "accessibility.js").read_text(encoding="utf-8")
SECTIONS = ("/", "/search", "/figures", "/history", "/files", "/guidelines", "/similar?item=r1")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# The model's order of the tests' reviews: what a key stands for differs from review to review.
LIKELY = [
    "loan_cancelled", "card_declined", "refund_declined", "app_declined", "salary_has_not_arrived",
    "transfer_fee_charged", "pin_lost_or_stolen", "cash_limit_reached", "top_up_takes_how_long",
    "exchange_takes_how_long",
]  # fmt: skip


@pytest.fixture
def taxonomy(tmp_path):
    with using(helpdesk(tmp_path / "helpdesk")) as active:
        yield active


def asked(number, likely=LIKELY):
    """Return a review about which the model thinks of these first, in this order."""
    shares = {slug: 0.15 * 0.9**place for place, slug in enumerate(likely)}
    rest = (1 - sum(shares.values())) / (len(all_categories()) - len(shares))
    probabilities = {category: shares.get(category, rest) for category in all_categories()}
    return task(number).model_copy(update={"probabilities": probabilities})


@pytest_asyncio.fixture
async def pages(redis_server, topic_prefix, tmp_path, taxonomy):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    tasks = [asked(1), asked(2, LIKELY[::-1]), *(asked(number) for number in range(3, 12))]
    async with served_pages(settings, tasks) as running:
        yield running


@pytest_asyncio.fixture
async def page(chromium, pages):
    async with opened(chromium, locale="en-GB") as window:
        await sign_in(window, pages.url)
        yield window
        assert window.faults == []


def decided(pages):
    return {label.review_id: label.category for label in pages.publisher.labels}


async def saved(page, count):
    await page.locator("#today", has_text=str(count)).wait_for()


async def found(page, letters):
    """Type letters into the field, and return the categories below it, nearest first."""
    await page.fill("#find", letters)
    lines = page.locator("#found li")
    return [await line.get_attribute("data-slug") for line in await lines.all()]


async def decide_by(page, letters):
    """Decide by typing; return the review that was decided."""
    before = await shown(page)
    await page.keyboard.press("0")
    await page.keyboard.type(letters)
    await page.keyboard.press("Enter")
    await until_another(page, before)
    return before


async def test_the_keys_are_the_models_best_nine_of_this_review(page, pages):
    answered = {await press(page, key): key for key in ("1", "9", "2")}
    await saved(page, 3)
    orders = {"r2": LIKELY[::-1]}
    assert decided(pages) == {
        review: orders.get(review, LIKELY)[int(key) - 1] for review, key in answered.items()
    }


async def test_enter_agrees_with_the_model(page, pages):
    await page.goto(f"{pages.url}/?item=r2")
    await page.wait_for_selector("#card-title:focus", state="attached")
    assert await press(page, "Enter") == "r2"
    await saved(page, 1)
    assert decided(pages) == {"r2": LIKELY[-1]}


async def test_n_is_none_of_these_on_every_review_and_in_either_layout(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, blind_share=0.3)
    none = LIKELY[0]
    with using(helpdesk(tmp_path / "helpdesk", none=none)):
        tasks = [asked(1), asked(2, LIKELY[::-1]), asked(3, LIKELY[1:])]
        async with served_pages(settings, tasks) as pages, opened(chromium) as window:
            await sign_in(window, pages.url)
            for key in ("n", "т", "N"):
                button = window.locator(f"#card button[value={none}]")
                assert await button.locator("kbd").inner_text() == "N"
                code = "KeyN"
                before = await shown(window)
                await window.evaluate(
                    "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown',"
                    " { key, code, bubbles: true, cancelable: true }))",
                    [key, code],
                )
                await until_another(window, before)
            await saved(window, 3)
            assert decided(pages) == dict.fromkeys(("r1", "r2", "r3"), none)


async def test_every_other_category_is_a_few_letters_away(page, pages):
    review = await decide_by(page, "acc lost")
    assert await page.input_value("#find") == ""
    other = await decide_by(page, "crdcanc")
    await saved(page, 2)
    assert decided(pages) == {review: "account_lost_or_stolen", other: "card_cancelled"}


TYPED = {
    "card lost": "card_lost_or_stolen",
    "LOST card": "card_lost_or_stolen",
    "сфкв дщые": "card_lost_or_stolen",  # typed in the Russian layout
    "карта потеря": "card_lost_or_stolen",
    "rfhnf gjnthz": "card_lost_or_stolen",  # the Russian name, in the Latin layout
    "счет: ещё": "account_has_not_arrived",
    "cxtn tot": "account_has_not_arrived",
    "topup": "top_up_takes_how_long",  # of several, the one that the model holds for likely
    "lofee": "loan_fee_charged",  # beginnings of words
    "trasnfer limit": "transfer_limit_reached",  # letters changed places
    "transfr limit": "transfer_limit_reached",
    "slry dclnd": "salary_declined",  # letters left out
    "cash_limit_reached": "cash_limit_reached",
    ",fyr": None,
    "zzz": None,
    "[": None,
}


async def test_a_category_is_found_by_any_of_its_names_in_either_layout(page):
    lists = {letters: await found(page, letters) for letters in TYPED}
    assert {letters: next(iter(slugs), None) for letters, slugs in lists.items()} == TYPED
    # More are not read.
    assert len(await found(page, "a")) == 9


async def test_it_is_said_when_no_category_is_found(page):
    await found(page, "zzz")
    assert await page.locator("#found-none").is_visible()
    await found(page, "card")
    assert not await page.locator("#found-none").is_visible()


async def test_arrows_choose_among_what_was_found_and_escape_leads_back(page, pages):
    await page.keyboard.press("0")
    await page.keyboard.type("refund")
    await page.keyboard.press("Escape")
    assert await page.input_value("#find") == ""
    await page.wait_for_selector("#card-title:focus", state="attached")
    await page.keyboard.press("0")
    slugs = await found(page, "refund")
    before = await shown(page)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    active = await page.get_attribute("#find", "aria-activedescendant")
    assert await page.get_attribute(f"#{active}", "data-slug") == slugs[2]
    await page.keyboard.press("Enter")
    await until_another(page, before)
    await saved(page, 1)
    assert decided(pages) == {before: slugs[2]}


async def test_letters_in_the_field_are_no_keys_of_the_desk(page, pages):
    before = await shown(page)
    await page.keyboard.press("0")
    await page.keyboard.type("us?1/")
    assert await page.input_value("#find") == "us?1/"
    assert await shown(page) == before
    await page.keyboard.press("Enter")  # nothing was found
    assert pages.publisher.acts == []


async def test_what_was_found_can_be_clicked(page, pages):
    before = await shown(page)
    await found(page, "salary limit")
    await page.locator("#found li").first.click()
    await until_another(page, before)
    await saved(page, 1)
    assert decided(pages) == {before: "salary_limit_reached"}


async def test_all_categories_stand_below_their_headings_and_can_be_pressed(page, pages):
    before = await shown(page)
    await page.click("#others summary")
    groups = page.locator("#others fieldset")
    assert await groups.count() == 11
    assert await groups.first.locator("legend").inner_text() == "Карта"
    await page.click("#others button[value=app_limit_reached]")
    await until_another(page, before)
    await saved(page, 1)
    assert decided(pages) == {before: "app_limit_reached"}


async def test_a_blind_review_shows_no_nine_and_is_decided_by_letters(
    chromium, redis_server, topic_prefix, tmp_path, taxonomy
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, blind_share=1.0)
    async with (
        served_pages(settings, [asked(1)]) as pages,
        opened(chromium, locale="en-GB") as window,
    ):
        await sign_in(window, pages.url)
        assert await window.locator("#card [data-key='1'], [data-top]").count() == 0
        card = await window.locator("#card").inner_html()
        assert not any(slug in card for slug in LIKELY)
        await window.keyboard.press("1")
        await window.keyboard.press("Enter")
        await window.locator("#no-guess", has_text="0").wait_for()
        assert pages.publisher.acts == []
        # Of equals none is first because the model thinks so.
        assert (await found(window, "declined"))[0] == "pin_declined"
        await window.keyboard.press("Enter")
        await window.wait_for_selector('#card[data-id=""]')
        assert not await window.locator("#others").is_visible()
        assert decided(pages) == {"r1": "pin_declined"}


async def test_without_scripts_every_category_can_be_chosen(chromium, pages):
    async with opened(chromium, java_script_enabled=False) as window:
        await sign_in(window, pages.url, scripts=False)
        assert not await window.locator("#find").is_visible()
        for slug in ("loan_cancelled", "account_declined"):
            before = await shown(window)
            button = window.locator(f"button[value={slug}]").last
            if not await button.is_visible():
                await window.click("#others summary")
            await button.click()
            await until_another(window, before)
    assert list(decided(pages).values()) == ["loan_cancelled", "account_declined"]


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_page_is_accessible(chromium, pages, size, theme):
    async with opened(chromium, color_scheme=theme, **size) as window:
        await sign_in(window, pages.url)
        faults = []
        for address in SECTIONS:
            await window.goto(pages.url + address)
            await window.evaluate(
                "document.querySelectorAll('main details').forEach(part => { part.open = true; })"
            )
            if address == "/":
                await found(window, "card")
            faults += [f"{address}: {fault}" for fault in await window.evaluate(CHECK)]
            width = await window.evaluate("document.documentElement.scrollWidth")
            if width > window.viewport_size["width"]:
                faults.append(f"{address}: scrolls sideways")
        assert faults == []
        assert window.faults == []


def opinions(number, one, other):
    """Return a first and a second person's word on one review."""
    review_id, said = f"old{number}", Category(one)
    first = Judgement(
        review_id=review_id, labeller="bob", role="first", category=said, revision=1,
        codebook_version="1",
    )  # fmt: skip
    second = Judgement(
        review_id=review_id, labeller="eve", role="second", category=Category(other), revision=1,
        codebook_version="1", compared_with=ComparedOpinion(labeller="bob", category=said),
    )  # fmt: skip
    label = Label(
        review_id=review_id, text=f"message {number}", category=said, decided_by="person",
        labeller="bob", codebook_version="1", revision=1,
    )  # fmt: skip
    return first, second, label


async def test_of_many_categories_the_figures_show_the_foremost_and_the_rest_in_sum(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    with using(helpdesk(tmp_path / "helpdesk", times=2)):
        slugs = [category.slug for category in all_categories()]
        pairs = [(slugs[number % 40], slugs[number % 40]) for number in range(80)]
        pairs += [("card_declined", "card_cancelled")] * 7
        judged = [opinions(number, *pair) for number, pair in enumerate(pairs)]
        async with served_pages(settings, [asked(1)]) as pages, opened(chromium) as window:
            await pages.file_judgements(
                [one for first, second, _ in judged for one in (first, second)]
            )
            await pages.file_labels([label for _, _, label in judged])
            await sign_in(window, pages.url)
            await window.goto(f"{pages.url}/figures")
            sections = window.locator("main section")
            chosen = sections.nth(1).locator("table").first.locator("tbody tr")
            assert await chosen.count() == 15 + 2
            assert (await chosen.first.inner_text()).split("\t") == ["карта: отказано", "9", "0"]
            assert (await chosen.nth(15).locator("td").first.inner_text()) == str(87 - 9 - 14 * 2)
            assert not await sections.nth(1).locator("details table").is_visible()
            await sections.nth(1).locator("summary").click()
            rows = sections.nth(1).locator("details tbody tr")
            assert await rows.count() == 154 + 11
            agreed = sections.nth(2).locator("table").first.locator("tbody").last.locator("tr")
            assert await agreed.count() == 15
            assert {(await agreed.nth(number).locator("th").inner_text()) for number in (0, 1)} == {
                "карта: отказано",
                "карта: отменено",
            }
            mixed = sections.nth(2).locator("table").last.locator("tbody tr").first
            assert (await mixed.inner_text()).split("\t") == [
                "карта: отменено", "карта: отказано", "7",
            ]  # fmt: skip


async def test_filters_are_sorted_by_group(page, pages):
    groups = page.locator("select[name=filter] optgroup")
    assert await groups.count() == 11
    assert await groups.first.get_attribute("label") == "Карта"
    await page.select_option("select[name=filter]", "exchange_takes_how_long")
    async with page.expect_navigation():
        await page.click(".filters button")
    assert await shown(page) == "r2"
    await page.goto(f"{pages.url}/similar?item=r1")
    best = page.locator("select[name=category] optgroup").first.locator("option")
    assert [await option.get_attribute("value") for option in await best.all()] == LIKELY[:9]


async def test_where_there_are_no_rules_none_is_said_to_come_first(page, pages):
    await page.goto(f"{pages.url}/guidelines")
    said = await page.locator("main").inner_text()
    assert await page.locator("main ol li").count() == 1  # that one may be unable to tell
    assert "first rule" not in said
