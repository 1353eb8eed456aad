"""What a simulation found: points as JSON, a table, and the curves as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from stream.reports.markdown import table
from tests.bench.simulation.curve import Point, labels_needed, mean_curve
from tests.bench.simulation.orders import ORDERS
from training.registry.files import write_atomically

# Shares of the way from the first model to what random order reaches in the end.
_TARGETS: Final = (0.5, 0.75, 0.9, 1.0)
_COLORS: Final = {
    "random": "#7a8291",
    "margin": "#c26a1b",
    "ours": "#1f6feb",
    "corrected": "#1a7f37",
}
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 720, 400, 56, 44, 16, 90


def write_simulation(points: Sequence[Point], folder: Path) -> str:
    """Write ``points.json``, ``curve.svg`` and ``report.md``, and return the latter's text."""
    rows = [asdict(point) for point in points]
    write_atomically(folder / "points.json", json.dumps(rows, indent=1) + "\n")
    write_atomically(folder / "curve.svg", as_svg(points))
    text = as_markdown(points)
    write_atomically(folder / "report.md", text)
    return text


def as_markdown(points: Sequence[Point]) -> str:
    """Return the table: how many labels each order needs for the same weighted F1, and of random's."""
    random = mean_curve(points, "random")
    start, end = random[0][1], random[-1][1]
    lines = [
        f"Weighted F1 {start:.3f} without labels; after {random[-1][0]}: "
        + ", ".join(f"{order} {mean_curve(points, order)[-1][1]:.3f}" for order in ORDERS)
        + ".",
        "",
    ]
    rows = []
    for share in _TARGETS:
        target = start + share * (end - start)
        needed = {order: labels_needed(points, order, target) for order in ORDERS}
        rows.append([f"{target:.3f}", *(_cell(n, needed["random"]) for n in needed.values())])
    lines += table(["weighted F1", *ORDERS], rows)
    return "\n".join(lines) + "\n"


def _cell(labels: float | None, at_random: float | None) -> str:
    if labels is None:
        return "not reached"
    return f"{labels:.0f} ({labels / at_random:.0%})" if at_random else f"{labels:.0f}"


def as_svg(points: Sequence[Point]) -> str:
    """Return the mean curves, each with the band between the seeds' lowest and highest."""
    curves = {order: mean_curve(points, order) for order in ORDERS}
    most = max(n for curve in curves.values() for n, *_ in curve) or 1
    low = min(lowest for curve in curves.values() for *_, lowest, _ in curve)
    high = max(highest for curve in curves.values() for *_, highest in curve)
    span = max(high - low, 0.01)

    def at(labels: float, f1: float) -> str:
        x = _LEFT + labels / most * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - (f1 - low) / span * (_HEIGHT - _BOTTOM - _TOP)
        return f"{x:.1f},{y:.1f}"

    parts = [
        (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'"
            " font-family='system-ui, sans-serif' font-size='13'>"
        ),
        "<title>Weighted F1 against the number of labels</title>",
        f"<rect width='{_WIDTH}' height='{_HEIGHT}' fill='#fff'/>",
        *_axes(most, low, span, at),
    ]
    for order, curve in curves.items():
        band = [at(n, top) for n, *_, top in curve]
        band += [at(n, bottom) for n, _, bottom, _ in reversed(curve)]
        line = " ".join(at(n, mean) for n, mean, *_ in curve)
        color = _COLORS[order]
        parts.append(f"<polygon points='{' '.join(band)}' fill='{color}' opacity='.12'/>")
        parts.append(f"<polyline points='{line}' fill='none' stroke='{color}' stroke-width='2.5'/>")
    return "\n".join([*parts, *_legend(), "</svg>"]) + "\n"


def _axes(most: int, low: float, span: float, at: object) -> list[str]:
    assert callable(at)
    parts = []
    for i in range(6):
        f1, labels = low + span * i / 5, most * i / 5
        (left, y), (right, _) = at(0, f1).split(","), at(most, f1).split(",")
        parts.append(f"<line x1='{left}' x2='{right}' y1='{y}' y2='{y}' stroke='#e1e4ea'/>")
        parts.append(
            f"<text x='{_LEFT - 8}' y='{y}' dy='4' text-anchor='end' fill='#5b6472'>{f1:.2f}</text>"
        )
        x, _ = at(labels, low).split(",")
        parts.append(
            f"<text x='{x}' y='{_HEIGHT - _BOTTOM + 20}' text-anchor='middle' fill='#5b6472'>"
            f"{labels:.0f}</text>"
        )
    middle = (_WIDTH - _RIGHT + _LEFT) / 2
    parts.append(
        f"<text x='{middle}' y='{_HEIGHT - 6}' text-anchor='middle' fill='#5b6472'>labels</text>"
    )
    return parts


def _legend() -> list[str]:
    x = _WIDTH - _RIGHT + 14
    return [
        f"<text x='{x}' y='{_TOP + 16 + 20 * i}' fill='{_COLORS[order]}' font-weight='600'>"
        f"{order}</text>"
        for i, order in enumerate(ORDERS)
    ]
