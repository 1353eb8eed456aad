"""A real Prometheus takes our rules, scrapes a monitor, and answers the dashboards' questions."""

import asyncio
import contextlib
import shutil
from pathlib import Path

import aiohttp
import pytest
import yaml

from stream.demo.worker_process import free_port
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.settings import MonitorSettings
from tests.support.watched_pipeline import watched_engine

RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus/rules.yml"
WAIT_SECONDS = 60

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="prometheus is not installed: apt-get install prometheus",
)


@contextlib.asynccontextmanager
async def prometheus(folder, target):
    """Run one that scrapes ``target`` every second; yield its address."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "reviews-monitor", "static_configs": [{"targets": [target]}]}
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
        prometheus(tmp_path, f"127.0.0.1:{monitor.port}") as api,
    ):
        backlog = await answer(f"{api}/query", query="reviews_monitor_relabel_backlog")
        drifting = await answer(
            f"{api}/query", query='ALERTS{alertname="ReviewsDrift",measure="mix_psi"}'
        )
        groups = (await answer(f"{api}/rules"))["groups"]
    assert float(backlog["result"][0]["value"][1]) == engine.backlog
    assert drifting["result"][0]["metric"]["alertstate"] == "pending"
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 17
    assert {rule["lastError"] for rule in rules if "lastError" in rule} == set()
