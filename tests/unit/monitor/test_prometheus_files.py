"""Alert rules and dashboards: they parse, do what they say, and ask for metrics that exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from stream.monitor.metrics import MonitorMetrics
from stream.worker.metrics import WorkerMetrics
from tests.support.optional_programs import needs
from tests.support.watched_pipeline import watched_engine

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text(encoding="utf-8"))
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
NAME = re.compile(r"\breviews[a-z0-9_:]*")

needs_promtool = needs("promtool")


def promtool(*arguments):
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def panels(file):
    return json.loads(file.read_text(encoding="utf-8"))["panels"]


def each_expression():
    for file in DASHBOARDS:
        for panel in panels(file):
            for target in panel["targets"]:
                yield f"{file.stem}/{panel['title']}", target["expr"]
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]


EXPRESSIONS = list(each_expression())


def exported_names():
    names = {
        rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule
    }
    monitor = MonitorMetrics(watched_engine(minutes=2))
    for family in (*WorkerMetrics().registry.collect(), *monitor.collect()):
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_sum", "_count"],
            "info": ["_info"],
        }
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_every_expression_asks_for_metrics_that_exist(where, expression):
    without_labels = re.sub(r"\{[^}]*\}", "", expression)
    assert set(NAME.findall(without_labels)) <= exported_names(), where


def test_a_metric_that_does_not_exist_would_be_noticed():
    assert "reviews_renamed_total" not in exported_names()
    assert NAME.findall("sum(rate(reviews_renamed_total[5m]))") == ["reviews_renamed_total"]


@needs_promtool
def test_every_expression_of_the_dashboards_parses(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, (_, expression) in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}), encoding="utf-8")
    result = promtool("check", "rules", file)
    assert result.returncode == 0, result.stderr


@needs_promtool
def test_prometheus_takes_the_configuration():
    result = promtool("check", "config", DEPLOY / "prometheus/prometheus.yml")
    assert result.returncode == 0, result.stderr


@needs_promtool
def test_alerts_are_raised_when_they_should_and_only_then():
    result = promtool("test", "rules", DEPLOY / "prometheus/rules_test.yml")
    assert result.returncode == 0, result.stdout + result.stderr


@needs_promtool
def test_metric_names_and_units_are_as_prometheus_wants_them():
    engine = watched_engine(minutes=2)
    for registry in (WorkerMetrics().registry, MonitorMetrics(engine).registry):
        result = subprocess.run(
            ["promtool", "check", "metrics"],
            input=generate_latest(registry),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, result.stderr


def test_every_alert_says_what_to_do():
    for group in RULES["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["annotations"].keys() == {"summary", "action"}
                assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_of_a_dashboard_do_not_overlap(file):
    cells = [
        (x, y)
        for panel in panels(file)
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
