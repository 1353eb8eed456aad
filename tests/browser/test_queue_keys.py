"""The desk's keys: in every layout, on the numeric pad, and what Enter says of a blind review."""

import pytest
import pytest_asyncio

from tests.support.chromium import needs_chromium, opened
from tests.support.desk_window import shown, sign_in
from tests.support.queue import task
from tests.support.queue_pages import pages_settings, served_pages

pytestmark = [pytest.mark.browser, needs_chromium]

PRESSED = [
    # what the key types, its place, Shift, what it is for
    ("1", "Digit1", False, "1"),
    ("1", "Numpad1", False, "1"),
    ("&", "Digit1", False, "1"),  # French: digits need Shift
    ("1", "Digit1", True, "1"),
    ("!", "Digit1", True, ""),
    ("End", "Numpad1", False, ""),  # NumLock is off: the key moves
    ("0", "Digit0", False, "0"),
    ("0", "Numpad0", False, "0"),
    ("à", "Digit0", False, "0"),  # French
    ("?", "Slash", True, "?"),
    (",", "Slash", True, "?"),  # Russian
    ("?", "Digit7", True, "?"),  # Russian
    ("?", "Minus", True, "?"),  # German
    ("/", "Slash", False, "/"),
    (".", "Slash", False, "/"),  # Russian
    ("/", "NumpadDivide", False, "/"),
    ("/", "Digit7", True, "/"),  # German
    ("|", "Backslash", True, ""),
    ("u", "KeyU", False, "u"),
    ("U", "KeyU", False, "u"),  # CapsLock
    ("г", "KeyU", False, "u"),
    ("Г", "KeyU", True, ""),
    ("u", "KeyF", False, "u"),  # Dvorak
    ("g", "KeyU", False, ""),
    ("s", "KeyS", False, "s"),
    ("ы", "KeyS", False, "s"),
    ("Enter", "Enter", False, "Enter"),
    ("Enter", "NumpadEnter", False, "Enter"),
    ("Dead", "BracketLeft", False, ""),
]


@pytest_asyncio.fixture
async def pages(redis_server, topic_prefix, tmp_path):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    async with served_pages(settings, [task(n) for n in range(3)]) as running:
        yield running


async def test_a_key_is_known_by_what_it_types_and_else_by_its_place(chromium, pages):
    async with opened(chromium) as window:
        await sign_in(window, pages.url)
        heard = await window.evaluate(
            "keys => keys.map(([key, code, shiftKey]) => Desk.keyOf(new KeyboardEvent('keydown',"
            " {key, code, shiftKey})))",
            [list(pressed[:3]) for pressed in PRESSED],
        )
    assert heard == [pressed[3] for pressed in PRESSED]


@pytest.mark.parametrize(("key", "code"), [(".", "Slash"), ("/", "NumpadDivide")])
async def test_the_key_for_search_opens_it_in_the_russian_layout_and_on_the_pad(
    chromium, pages, key, code
):
    async with opened(chromium) as window:
        await sign_in(window, pages.url)
        async with window.expect_navigation(url="**/search"):
            await window.evaluate(
                "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown',"
                " {key, code, bubbles: true, cancelable: true}))",
                [key, code],
            )


async def test_enter_on_a_blind_review_says_why_nothing_happens(
    chromium, redis_server, topic_prefix, tmp_path
):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path, blind_share=1.0)
    async with served_pages(settings, [task(1)]) as blind, opened(chromium) as window:
        await sign_in(window, blind.url)
        before = await shown(window)
        await window.keyboard.press("Enter")
        await window.locator("#no-guess", has_text="Выберите 1–9").wait_for()
        assert await shown(window) == before
        assert blind.publisher.acts == []
