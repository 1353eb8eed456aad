"""What a running worker tells Prometheus and its log."""

import asyncio
import io
import json
import sys

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.logs import configure_logs
from stream.settings import LogSettings
from tests.support.pipeline import (
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

TEXT = "красивое платье с уникальнымсловом"


@pytest.fixture
def json_logs(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs(LogSettings(level="info", format="json"))
    return written


def review(review_id, text):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text}).encode()


async def scrape(port):
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        text = await answer.text()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped_when(port, condition):
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition(values := await scrape(port)):  # noqa: ASYNC110 - polled, as Prometheus does
            await asyncio.sleep(0.1)
    return values


async def test_a_worker_tells_all_that_the_dashboards_ask_for(
    kafka, topics, redis_url, tmp_path, json_logs
):
    messages = [review(f"r{i}", f"{TEXT} {i % 5}") for i in range(40)] + [(b"bad", b"no json")]
    await send(kafka, topics.incoming, messages)
    settings = pipeline_settings(kafka, topics.prefix, redis_url)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")) as worker:
        await read_outputs(kafka, topics, len(messages))
        values = await scraped_when(
            worker.health.port,
            lambda seen: [v for k, v in seen.items() if k[0] == "reviews_partition_lag"] == [0] * 4,
        )
        version = worker.models.serving.version
    assert sum(v for k, v in values.items() if k[0] == "reviews_processed_total") == 41
    assert values["reviews_dead_letters_total", "not-json"] == 1
    assert values["reviews_transactions_total", "committed"] >= 1
    assert values["reviews_transactions_total", "fenced"] == 0
    assert values["reviews_cache_lookups_total", "miss"] >= 5
    assert 0 < values["reviews_tokens_total",] <= values["reviews_padded_tokens_total",]
    assert values["reviews_batch_rows_sum",] == 41
    stages = {key[1] for key in values if key[0] == "reviews_stage_seconds_count"}
    assert stages == {"cache", "tokenize", "inference", "commit", "total"}
    assert any(key[0] == "reviews_model_info" and version in key for key in values)

    lines = [line for line in json_logs.getvalue().splitlines() if line.startswith("{")]
    events = {json.loads(line)["event"] for line in lines}
    assert {"worker_started", "partition_open", "worker_stopped"} <= events
    assert not [
        line for line in lines if "уникальным" in json.dumps(json.loads(line), ensure_ascii=False)
    ]
