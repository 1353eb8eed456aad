"""What a pipeline can reach at most follows from the CPU time of a review."""

import pytest

from stream.bench import pipeline
from stream.bench.cluster import Drained


def test_the_bound_is_what_all_processes_would_reach_if_no_core_were_idle(monkeypatch):
    monkeypatch.setattr(pipeline, "available_cores", lambda: 2)
    drains = [Drained(1.0, 1.0, {"workers": us, "broker": 100.0}) for us in (300.0, 400.0, 900.0)]
    facts = pipeline._bound(drains, alone=5000.0)
    assert facts["cpu_us_per_review"] == {"workers": 400.0, "broker": 100.0}
    # 2 cores / 500 us a review = 4000 reviews/s, beside 5000 of the model alone.
    assert facts["share_if_no_core_were_idle"] == pytest.approx(0.8)


def test_without_measured_cpu_time_there_is_no_bound():
    assert (
        pipeline._bound([Drained(1.0, 1.0, {})], alone=5000.0)["share_if_no_core_were_idle"] == 0.0
    )
