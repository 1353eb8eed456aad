"""The queue's desk in a browser window, as a person works it: signing in, reading, pressing keys."""

from __future__ import annotations

from playwright.async_api import Page

from tests.support.queue import PASSWORD


async def sign_in(window: Page, url: str, name: str = "ann", *, scripts: bool = True) -> None:
    """Sign a person in; the desk is there at the end, and hears keys if it runs scripts."""
    await window.goto(f"{url}/sign-in")
    await window.fill("[name=name]", name)
    await window.fill("[name=password]", PASSWORD)
    await window.click("main button")
    await window.wait_for_selector("#card")
    if scripts:
        await until_keys_are_heard(window)


async def until_keys_are_heard(window: Page) -> None:
    """Wait for the page's script: the last thing it does at its start is to move the focus."""
    await window.wait_for_selector("#card-title:focus", state="attached")


async def shown(window: Page) -> str:
    """Return the id of the review on the screen; empty if nothing waits."""
    return await window.locator("#card").get_attribute("data-id") or ""


async def until_another(window: Page, review_id: str) -> None:
    """Wait until another review than this one is on the screen."""
    await window.wait_for_selector(f'#card:not([data-id="{review_id}"])')


async def press(window: Page, key: str) -> str:
    """Press a key that leads to the next review; return the id of the one that was left."""
    before = await shown(window)
    await window.keyboard.press(key)
    await until_another(window, before)
    return before
