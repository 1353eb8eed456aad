"""A worker's log says once that the broker is gone, and once that it is back."""

import asyncio
import logging

import pytest
import structlog

from deploy.local import LocalKafka
from stream.kafka.presence import tell_of_outages
from stream.logs import SeldomRepeated
from stream.settings import KafkaSettings
from tests.support.java import SHORT_LIVED
from tests.support.pipeline import WAIT_SECONDS

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def until_said(lines, event):
    async with asyncio.timeout(WAIT_SECONDS):
        while event not in [line["event"] for line in lines]:  # noqa: ASYNC110 - a list of lines
            await asyncio.sleep(0.05)


def a_line_of_the_library():
    return logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no connection", None, None)


async def test_one_line_when_it_goes_one_when_it_is_back_and_the_library_is_silent_between(
    tmp_path,
):
    with LocalKafka(tmp_path, jvm_flags=SHORT_LIVED) as kafka:
        settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, request_timeout_ms=2000)
        with structlog.testing.capture_logs() as lines:
            telling = asyncio.create_task(tell_of_outages(settings))
            try:
                await asyncio.to_thread(kafka.kill)
                await until_said(lines, "broker_lost")
                assert not SeldomRepeated().filter(a_line_of_the_library())
                await asyncio.to_thread(kafka.restart)
                await until_said(lines, "broker_back")
                assert SeldomRepeated().filter(a_line_of_the_library())
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
    assert [line["event"] for line in lines] == ["broker_lost", "broker_back"]
