"""One chromium for all tests of pages."""

import pytest_asyncio

from tests.support.chromium import launched


@pytest_asyncio.fixture(scope="session")
async def chromium():
    async with launched() as browser:
        yield browser
