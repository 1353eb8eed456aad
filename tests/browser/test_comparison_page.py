"""The page of a comparison in a real browser: on a phone, and with a text that means harm."""

import numpy as np
import pytest

from tests.support.chromium import needs_chromium, opened
from training.comparison.compare import Candidate, Run
from training.comparison.report import write_report
from training.data.dataset import labelled
from training.fit.config import TrainConfig

pytestmark = [pytest.mark.browser, needs_chromium]

_HOSTILE = "<script>document.title = 'broken'</script><img src=x onerror=alert(1)> чайник"
_LONG = "очень длинный отзыв о товаре, который пришел не тот, " * 6


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    rows = labelled(
        [_HOSTILE, _LONG, *(f"текст {n}" for n in range(25))], [n % 9 for n in range(27)], "person"
    )
    logits = np.random.default_rng(0).normal(size=(27, 9)).astype(np.float32)
    runs = [Run("bert", 0, {"test": logits}, (1.0, 0.5), 1.0, 10, 1.0, 100.0)]
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, [Candidate("bert", "bert", TrainConfig())], runs, rows, {"test": rows})
    return folder / "index.html"


async def test_a_text_stays_a_text(chromium, page_file):
    async with opened(chromium) as page:
        await page.goto(page_file.as_uri())
        assert await page.title() == "Comparison of models"
        assert await page.get_by_text("<script>").count() == 1
        assert page.faults == []


async def test_on_a_phone_the_page_does_not_scroll_sideways_and_mistakes_can_be_read(
    chromium, page_file
):
    async with opened(chromium, viewport={"width": 390, "height": 844}) as page:
        await page.goto(page_file.as_uri())
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        widths = await page.eval_on_selector_all(
            "td.text", "cells => cells.map(cell => cell.getBoundingClientRect().width)"
        )
        assert min(widths) > 200


async def test_all_pictures_are_there(chromium, page_file):
    async with opened(chromium) as page:
        await page.goto(page_file.as_uri())
        await page.wait_for_function("[...document.images].every(image => image.complete)")
        sizes = await page.evaluate("[...document.images].map(image => image.naturalWidth)")
        assert len(sizes) == 4
        assert min(sizes) > 0
