"""Rounds, medians, spread and pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.bench.plot import draw
from stream.bench.report import BenchmarkReport, Figure, interleave, readable


def test_every_contender_is_measured_once_a_round_in_turn() -> None:
    order: list[str] = []

    def contender(name: str) -> float:
        order.append(name)
        return 1.0

    interleave({"a": lambda: contender("a"), "b": lambda: contender("b")}, 2, "x/s")

    assert order == ["a", "b", "a", "b"]


def test_a_ratio_pairs_the_rounds_so_that_a_slow_round_cancels_out() -> None:
    base, ours = Figure("base", "x/s", [100, 10, 50]), Figure("ours", "x/s", [200, 20, 100])

    assert BenchmarkReport("Title", "base", [base, ours]).ratio(ours) == 2.0


def test_spread_is_the_range_over_the_median() -> None:
    assert Figure("a", "x/s", [90, 100, 120]).spread == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("value", "text"), [(12_100.0, "12,100"), (123.4, "123"), (12.34, "12.3"), (0.123, "0.123")]
)
def test_numbers_are_written_without_powers_of_ten(value: float, text: str) -> None:
    assert readable(value) == text


def test_a_report_becomes_a_png(tmp_path: Path) -> None:
    report = BenchmarkReport(
        "Title", "a", [Figure("a", "x/s", [1.0, 2.0]), Figure("b", "x/s", [3.0, 4.0])]
    )

    draw(report, tmp_path / "report.png")

    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
