"""The regression guard: ratios of two runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.bench.report import BenchmarkReport, Figure
from tests.bench.guard import regressions


def _write(folder: Path, base: float, figure: float, unit: str = "reviews/s") -> Path:
    figures = [Figure("base", unit, [base]), Figure("ours", unit, [figure])]
    BenchmarkReport("Title", "base", figures).write(folder, "pipeline")
    return folder


def test_a_slower_machine_is_no_regression_when_the_ratio_holds(tmp_path: Path) -> None:
    recorded = _write(tmp_path / "before", 1000, 900)

    assert regressions(recorded, _write(tmp_path / "now", 100, 90)) == []


def test_a_ratio_that_fell_by_more_than_the_tolerance_is_named_with_both_values(
    tmp_path: Path,
) -> None:
    recorded = _write(tmp_path / "before", 1000, 900)

    found = regressions(recorded, _write(tmp_path / "now", 1000, 500))

    assert found == ["pipeline: ours is at 0.50x its baseline, recorded was 0.90x"]


@pytest.mark.parametrize(("now", "count"), [(2.0, 0), (4.0, 1)])
def test_of_times_more_is_worse(tmp_path: Path, now: float, count: int) -> None:
    recorded = _write(tmp_path / "before", 1, 2.5, "ms")

    assert len(regressions(recorded, _write(tmp_path / "now", 1, now, "ms"))) == count


@pytest.mark.parametrize(("rival", "count"), [(300, 0), (900, 1)])
def test_a_rival_that_comes_closer_is_a_regression_of_ours(
    tmp_path: Path, rival: float, count: int
) -> None:
    for folder, rate in (("before", 600), ("now", rival)):
        figures = [Figure("ours", "reviews/s", [1000]), Figure("rival", "reviews/s", [rate])]
        BenchmarkReport("Peers", "ours", figures).write(tmp_path / folder, "peers")

    assert len(regressions(tmp_path / "before", tmp_path / "now")) == count


def test_a_benchmark_that_was_not_run_is_not_judged(tmp_path: Path) -> None:
    recorded = _write(tmp_path / "before", 1000, 900)
    (tmp_path / "now").mkdir()

    assert regressions(recorded, tmp_path / "now") == []
