"""A real Prometheus takes our rules, scrapes worker and monitor, and answers the dashboards."""

import asyncio
import contextlib
import itertools
import json
import random
from pathlib import Path

import aiohttp
import pytest
import yaml

from stream.demo.worker_process import free_port
from stream.model.classifier import Classifier
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.settings import MonitorSettings
from tests.support.optional_programs import needs
from tests.support.pipeline import (
    create_topics,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
    tiny_folder,
)
from tests.support.tiny_model import write_tiny_model
from tests.support.watched_pipeline import batch, watched_engine

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus/rules.yml"
WAIT_SECONDS = 60
# Of a pipeline in which no model was ever announced, these have nothing to show.
QUIET = {"Model changes", "Shadow model"}
RANDOM = random.Random(5)

pytestmark = needs("prometheus")


def panels():
    """Yield title and expression of everything that the dashboards show."""
    for file in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"]


@contextlib.asynccontextmanager
async def prometheus(folder, **targets):
    """Run one that scrapes each job's target every second; yield its address."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": f"reviews-{job}", "static_configs": [{"targets": [target]}]}
            for job, target in targets.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://{address}/api/v1"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), WAIT_SECONDS)


async def answer(url, **parameters):
    """Ask until there is an answer that is not empty."""
    async with asyncio.timeout(WAIT_SECONDS), aiohttp.ClientSession() as client:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(url, params=parameters) as response:
                    if response.ok and (data := (await response.json())["data"]).get(
                        "result", data.get("groups")
                    ):
                        return data
            await asyncio.sleep(0.2)


async def test_prometheus_scrapes_the_monitor_and_evaluates_every_rule(tmp_path):
    engine = watched_engine()
    registry = MonitorMetrics(engine).registry
    async with (
        MonitorServer(MonitorSettings(port=0), engine, registry, dict) as monitor,
        prometheus(tmp_path, monitor=f"127.0.0.1:{monitor.port}") as api,
    ):
        backlog = await answer(f"{api}/query", query="reviews_monitor_relabel_backlog")
        drifting = await answer(
            f"{api}/query", query='ALERTS{alertname="ReviewsDrift",measure="mix_psi"}'
        )
        groups = (await answer(f"{api}/rules"))["groups"]
    assert float(backlog["result"][0]["value"][1]) == engine.backlog
    assert drifting["result"][0]["metric"]["alertstate"] == "pending"
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 22
    assert {rule["lastError"] for rule in rules if "lastError" in rule} == set()


async def keep_busy(kafka, topic, engine):
    """Send reviews of every fate, and let the monitor hear of some: what stands still has no rate."""
    texts = ("платье в пол", "сапоги жмут", "тут непонятно")
    for turn in itertools.count():
        events = [
            {"review_id": f"{turn}-{i}", "text": f"{text} {turn}"} for i, text in enumerate(texts)
        ]
        await send(
            kafka, topic, [(None, json.dumps(e).encode()) for e in events] + [(None, b"no JSON")]
        )
        engine.apply_batch(0, 10**6 + turn, batch(engine.clock(), "m", RANDOM, 1, shifted=False))
        await asyncio.sleep(0.5)


@pytest.mark.kafka
async def test_every_panel_has_an_answer_from_a_worker_at_work(
    kafka, topic_prefix, redis_url, tmp_path
):
    write_tiny_model(tiny_folder(tmp_path))
    settings = pipeline_settings(kafka, topic_prefix, redis_url)
    names = settings.topic_names
    await create_topics(kafka, names)
    engine = watched_engine()
    registry = MonitorMetrics(engine).registry
    async with (
        running_worker(settings, Classifier.load(tiny_folder(tmp_path))) as worker,
        MonitorServer(MonitorSettings(port=0), engine, registry, dict) as monitor,
    ):
        await send(kafka, names.incoming, [(b"first", b'{"review_id": "first", "text": "a"}')])
        await read_outputs(kafka, names, 1)  # the worker is up: it has a port
        targets = {"worker": worker.health.port, "monitor": monitor.port}
        addresses = {job: f"127.0.0.1:{port}" for job, port in targets.items()}
        async with prometheus(tmp_path, **addresses) as api:
            sending = asyncio.create_task(keep_busy(kafka, names.incoming, engine))
            for title, expression in panels():
                if title in QUIET:
                    continue
                try:
                    await answer(f"{api}/query", query=expression)
                except TimeoutError:
                    raise AssertionError(f"{title}: {expression} has no answer") from None
            sending.cancel()
