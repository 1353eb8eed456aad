"""Prometheus, the monitor and `reviews doctor` call the same lag, share and drift too much."""

import re
from pathlib import Path

import pytest

from stream.cli.checks import _lag
from stream.kafka.lag import PartitionLag
from stream.monitor.alerts import Alert, AlertRule
from stream.settings import Settings

RULES = (Path(__file__).parents[3] / "deploy/prometheus/rules.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("alert", "setting"),
    [
        ("ReviewsLagGrows", "alert_lag"),
        ("ReviewsBacklog", "alert_backlog"),
        ("ReviewsDeadLetters", "alert_dead_share"),
        ("ReviewsRelabelShare", "alert_relabel_share"),
        ("ReviewsDrift", "alert_mix_psi"),
        ("ReviewsDrift", "alert_confidence_psi"),
    ],
)
def test_prometheus_raises_an_alert_where_the_monitor_does(alert, setting):
    rule = RULES.partition(f"alert: {alert}\n")[2].partition("- alert:")[0]
    level = float(re.search(r">= ([0-9.]+)", rule).group(1))
    assert level == getattr(Settings().monitor, setting)[0]
    assert "$value" in rule.partition("summary:")[2], "it says which value raised it"


@pytest.mark.parametrize(("waiting", "state"), [(0, "ok"), (9_999, "ok"), (10_000, "warning")])
def test_the_doctor_warns_of_a_lag_where_the_alert_is_raised(waiting, state):
    (finding,) = _lag(Settings(), [PartitionLag(0, 0, waiting)])
    assert (finding.state, finding.detail.split()[0]) == (state, f"{waiting:,}")


def test_an_alert_remembers_the_value_that_raised_it():
    alert = Alert(AlertRule("lag", "behind", 10, 5, hold=20))
    for moment, value in enumerate([11, 14, 12, 30, 7]):
        alert.observe(value, moment * 10)
    assert (alert.active, alert.changed_by, alert.value) == (True, 12, 7)
