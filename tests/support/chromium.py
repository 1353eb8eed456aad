"""Debian's chromium, driven by playwright; a page remembers what went wrong in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.support.optional_programs import absent

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Generous: it only bounds a failure.
WAIT_MS = 60_000

needs_chromium = pytest.mark.skipif(not CHROMIUM.is_file(), reason=absent("chromium"))


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run a browser until the block ends."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """Open a window of its own. Its ``faults`` are the script errors and what the policy stopped."""
    context = await browser.new_context(
        **{"viewport": {"width": 1280, "height": 860}, "locale": "ru-RU", **options}
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    faults: list[str] = []
    page.faults = faults  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    try:
        yield page
    finally:
        await context.close()
