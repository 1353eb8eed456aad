"""The monitor's page in a real browser: who may see it, what it shows, and that it stays alive."""

import random
import re

import aiohttp
import pytest
import pytest_asyncio

from schemas import category_infos
from schemas.taxonomy import using
from stream.monitor.engine import Engine
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import COOKIE, MonitorServer
from stream.settings import MonitorSettings
from tests.support.chromium import launched, needs_chromium, opened
from tests.support.summaries import EPOCH, summary
from tests.support.taxonomies import bank, helpdesk
from tests.support.watched_pipeline import batch, watched_engine

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    needs_chromium,
]

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def engine():
    return watched_engine()


@pytest_asyncio.fixture
async def server(engine):
    links = []
    async with MonitorServer(
        MonitorSettings(port=0),
        engine,
        MonitorMetrics(engine).registry,
        lambda: {"state restored": True},
        on_link_used=links.append,
    ) as running:
        running.links_after_use = links
        yield running


@pytest_asyncio.fixture(scope="module")
async def chromium():
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture
async def page(chromium):
    async with opened(chromium, viewport={"width": 1320, "height": 900}) as window:
        yield window


async def signed_in(page, server):
    await page.goto(server.new_link())
    await page.wait_for_selector("#mix polygon")
    return page


async def test_the_board_shows_every_part_without_a_fault(page, server):
    await signed_in(page, server)
    for part in (
        "#tiles .tile",
        "#mix polygon",
        "#confidence rect",
        "#lag polyline",
        "#models rect",
    ):
        assert await page.locator(part).count() > 0, part
    assert await page.locator("#drift .meter").count() == 5
    names = await page.locator("#table td.name").all_inner_texts()
    assert names == [info.name("ru") for info in category_infos()]
    assert page.faults == []


async def test_alerts_say_what_to_do(page, server):
    await signed_in(page, server)
    alert = page.locator(".alert", has_text="Воркеры отстают")
    assert await alert.locator("p").inner_text() == "Запустите ещё воркеров, до одного на раздел."


async def test_new_numbers_arrive_by_themselves(page, server, engine):
    await signed_in(page, server)
    before = await page.locator("#tile-throughput .note").inner_text()
    engine.apply_batch(0, 10**6, batch(engine.clock(), "m", random.Random(1), 1, shifted=False))
    await page.wait_for_function(
        "before => document.querySelector('#tile-throughput .note').innerText !== before",
        arg=before,
        timeout=30_000,
    )


async def test_a_link_opens_once_and_leaves_no_trace_in_the_address(page, server, chromium):
    link = server.new_link()
    await page.goto(link)
    await page.wait_for_selector("#board:not([hidden])")
    assert "key" not in page.url
    other = await (await chromium.new_context()).new_page()
    await other.goto(link)
    await other.wait_for_selector("#sign-in:not([hidden]) #refused:not(:empty)")
    await other.context.close()


async def test_using_a_link_yields_the_next_one(page, server):
    await signed_in(page, server)
    (following,) = server.links_after_use
    await page.context.clear_cookies()
    await page.goto("about:blank")
    await page.goto(following)
    await page.wait_for_selector("#board:not([hidden])")


async def test_a_token_opens_the_page(page, engine):
    settings = MonitorSettings(port=0, token=TOKEN)
    registry = MonitorMetrics(engine).registry
    async with MonitorServer(settings, engine, registry, dict) as server:
        await page.goto(server.url)
        await page.fill("#key", "a-wrong-token-of-it")
        await page.click("#sign-in button")
        await page.wait_for_selector("#refused:not(:empty)")
        await page.fill("#key", TOKEN)
        await page.click("#sign-in button")
        await page.wait_for_selector("#board:not([hidden])")


async def test_signing_out_takes_one_click_and_everything_off_the_page(page, server):
    await signed_in(page, server)
    await page.click("#sign-out")
    await page.wait_for_selector("#sign-in:not([hidden])")
    assert await page.locator("#tiles .tile").count() == 0
    await page.reload()
    await page.wait_for_selector("#sign-in:not([hidden])")
    assert await page.locator("#sign-out").is_hidden()


async def test_english_is_one_key_away_and_remembered(page, server):
    await signed_in(page, server)
    await page.click("#language")
    assert await page.locator("h1").inner_text() == "Stream monitor"
    await page.reload()
    await page.wait_for_selector("#board:not([hidden])")
    text = await page.locator("body").inner_text()
    assert not re.search("[а-яё]", text, re.IGNORECASE)


async def test_a_taxonomy_of_no_russian_opens_in_english_and_a_choice_holds(page, server, tmp_path):
    with using(bank(tmp_path, 3)):
        await page.goto(server.url)
        assert await page.title() == "Stream monitor"
        await page.evaluate("localStorage.language = 'ru'")
        await page.reload()
        assert await page.title() == "Монитор потока"


async def test_both_languages_have_every_word(page, server):
    await page.goto(server.url)
    keys = "l => Object.keys(WORDS[l]).sort().join()"
    assert await page.evaluate(keys, "ru") == await page.evaluate(keys, "en")


async def test_pointing_at_the_chart_names_the_figures(page, server):
    await signed_in(page, server)
    await page.hover("#mix .chart", position={"x": 500, "y": 120})
    assert "одежда" in await page.locator("#mix .tip").inner_text()


async def test_a_phone_shows_no_sideways_scroll(page, server):
    await page.set_viewport_size({"width": 390, "height": 800})
    await signed_in(page, server)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_dark_follows_the_system(chromium, server):
    context = await chromium.new_context(color_scheme="dark")
    page = await signed_in(await context.new_page(), server)
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await context.close()


async def test_without_a_session_nothing_is_told(server):
    async with aiohttp.ClientSession() as client:
        for cookies in ({}, {COOKIE: "viewer.forged.signature"}):
            async with client.get(f"{server.url}/events", cookies=cookies) as answer:
                assert answer.status == 401
                assert b"reviews" not in await answer.read()


async def test_the_page_allows_no_foreign_code(server):
    async with aiohttp.ClientSession() as client, client.get(server.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "<script>" not in await answer.text()


async def test_only_the_pages_own_files_are_served(server):
    async with aiohttp.ClientSession() as client:
        for name in ("../web.py", "..%2fweb.py", "access.py", ""):
            async with client.get(f"{server.url}/page/{name}") as answer:
                assert answer.status == 404


async def test_metrics_and_health_are_open(server):
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{server.url}/metrics") as answer:
            assert "reviews_monitor_relabel_backlog" in await answer.text()
        async with client.get(f"{server.url}/readyz") as answer:
            assert answer.status == 200


async def test_a_refused_model_is_shown_where_it_was_announced(page, server, engine):
    announced = engine.announcements.all[-1].announcement
    engine.announcements.told(
        batch(engine.clock(), "9f2c41d07ab3e655", random.Random(1), 1, shifted=False).model_copy(
            update={"worker": "worker-7", "refused_model": announced.version}
        )
    )
    await signed_in(page, server)
    label = page.locator("#models text", has_text=announced.version[:8]).last
    assert re.search("refused|отвергнута", await label.text_content())
    assert "refused by worker-7" in await label.locator("title").text_content()
    engine.announcements.told(
        batch(engine.clock(), announced.version, random.Random(1), 1, shifted=False).model_copy(
            update={"worker": "worker-7"}
        )
    )
    assert engine.announcements.refusal(engine.announcements.all[-1]) is None


async def test_a_red_bar_is_not_called_calm_but_watched(page):
    # What drifts must do so for an hour: every bar is red, and no alert is raised.
    engine = watched_engine(alert_hold_seconds=3600, alert_lag=(10**6, 10**6))
    registry = MonitorMetrics(engine).registry
    async with MonitorServer(MonitorSettings(port=0), engine, registry, dict) as server:
        await signed_in(page, server)
        assert await page.locator("#drift .meter.bad").count() > 0
        assert await page.locator(".alert.calm").count() == 0
        watched = page.locator(".alert.watched", has_text="Состав категорий изменился")
        assert "Под наблюдением" in await watched.inner_text()
        assert "порог 0,25" in await watched.inner_text()
        assert "Тревога через" in await watched.locator("p").inner_text()


async def test_too_few_reviews_for_an_alert_are_named_as_the_reason(page):
    engine = watched_engine(alert_reviews=10**6)
    registry = MonitorMetrics(engine).registry
    async with MonitorServer(MonitorSettings(port=0), engine, registry, dict) as server:
        await signed_in(page, server)
        await page.click("#language")
        remark = await page.locator(".alert.watched p").first.inner_text()
        assert re.fullmatch(r"No alert yet: [\d,]+ texts, of 1,000,000 that it takes\.", remark)
        assert await page.locator(".alert.calm").count() == 0


async def test_of_a_model_of_two_stages_the_page_says_how_much_the_first_decided(page):
    engine = Engine(MonitorSettings(), clock=lambda: EPOCH + 900.0)
    engine.apply_batch(0, 0, summary(EPOCH + 890, published=8, relabelled=3, first_stage=6))
    registry = MonitorMetrics(engine).registry
    async with MonitorServer(MonitorSettings(port=0), engine, registry, dict) as server:
        await signed_in(page, server)
        note = page.locator("#tile-confidence .note")
        assert "60" in (said := await note.inner_text())
        assert "решила первая ступень" in said


async def test_without_drift_no_meter_is_bad_and_no_alert_is_watched(page):
    engine = watched_engine(drifting=False)
    registry = MonitorMetrics(engine).registry
    async with MonitorServer(MonitorSettings(port=0), engine, registry, dict) as server:
        await signed_in(page, server)
        assert await page.locator("#drift .meter.bad").count() == 0
        assert await page.locator(".alert.watched").count() == 0
        assert await page.locator(".alert.calm").count() == 1


async def test_of_many_categories_the_largest_are_shown_and_the_others_are_found(page, tmp_path):
    with using(helpdesk(tmp_path)) as taxonomy:
        engine = Engine(MonitorSettings(), clock=lambda: EPOCH + 600.0)
        for moment in range(0, 600, 30):
            for category in taxonomy.categories:
                event = summary(EPOCH + moment, category=category, published=category.id + 1)
                engine.apply_batch(0, moment * 100 + category.id, event)
        registry = MonitorMetrics(engine).registry
        async with MonitorServer(MonitorSettings(port=0), engine, registry, dict) as server:
            await signed_in(page, server)
            legend = page.locator("#mix .legend span")
            assert await legend.count() == 9
            assert "Остальные" in await legend.last.inner_text()
            assert await page.locator("#mix polygon").count() == 9
            rows = page.locator("#table tbody tr")
            assert await rows.count() == 15 + 1
            assert await rows.first.locator("td.name").inner_text() == "кредит: потеря или кража"
            assert await rows.last.locator("td.name").inner_text() == "Остальные (62)"
            counted = await rows.locator("td:nth-child(2)").all_inner_texts()
            total = engine.history.total()
            assert sum(int(re.sub(r"\D", "", text)) for text in counted) == total.reviews
            await page.fill("#wanted", "PIN lost")
            assert await rows.locator("td.name").all_inner_texts() == ["пин-код: потеря или кража"]
            await page.fill("#wanted", "")
            await page.click("#all")
            assert await rows.count() == 77
            await page.set_viewport_size({"width": 390, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.faults == []


@pytest.mark.parametrize("count", [12, 16])
async def test_as_many_categories_as_can_be_read_are_all_shown_and_none_stands_for_others(
    page, tmp_path, count
):
    with using(bank(tmp_path, count)) as taxonomy:
        engine = Engine(MonitorSettings(), clock=lambda: EPOCH + 600.0)
        engine.apply_batch(0, 1, summary(EPOCH + 60, category=taxonomy.categories[0]))
        registry = MonitorMetrics(engine).registry
        async with MonitorServer(MonitorSettings(port=0), engine, registry, dict) as server:
            await signed_in(page, server)
            names = await page.locator("#table tbody tr td.name").all_inner_texts()
            assert len(names) == count
            assert not any(name.startswith(("Others", "Остальные")) for name in names)
            assert await page.locator("#all").is_hidden()


async def test_a_few_categories_need_no_search(page, server):
    await signed_in(page, server)
    assert await page.locator("#wanted").is_hidden()
