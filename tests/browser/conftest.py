"""One chromium and one Redis for all tests of pages."""

import pytest
import pytest_asyncio

from deploy.local import LocalRedis
from tests.support.chromium import launched


@pytest_asyncio.fixture(scope="session")
async def chromium():
    async with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    with LocalRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server
