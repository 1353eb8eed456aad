"""Plots as SVG that stands inside the page: no files beside it, no scripts in it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from training.drawing import BLUE, FAINT, GRID, ORANGE, STYLE


def curve_plot(points: Sequence[tuple[float, float]], used: float, f1: float) -> str:
    """Draw weighted F1 against the share of reviews sent to the LLM.

    Args:
        points: (share, F1), the least sure reviews sent first.
        used: the share that the cascade sends.
        f1: what it reaches with it.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(5.4, 3.2)
        axes.plot(*zip(*points, strict=True), color=BLUE, linewidth=2)
        axes.plot([used], [f1], "o", color=ORANGE, markersize=8)
        axes.annotate(
            "the cascade", (used, f1), xytext=(8, 6), textcoords="offset points", color=ORANGE
        )
        axes.set_xlabel("share of reviews sent to the LLM, least sure first")
        axes.set_ylabel("weighted F1, cross-validated")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        low = min(*(f for _, f in points), f1)
        axes.set_ylim(max(low - 0.03, 0), 1.005)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        return _svg(figure)


def bars_plot(counts: Mapping[str, int], unit: str) -> str:
    """Draw horizontal bars, the largest on top, each with its number.

    Args:
        counts: by name.
        unit: what is counted.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(4.9, 0.6 + 0.32 * max(len(counts), 1))
        names = list(counts)[::-1]
        values = [counts[name] for name in names]
        axes.barh(names, values, color=[ORANGE if n == "people" else BLUE for n in names])
        for i, value in enumerate(values):
            axes.text(value, i, f" {value:,}", va="center")
        axes.set_xlabel(unit)
        axes.set_xlim(0, max([*values, 1]) * 1.2)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return _svg(figure)


def calibration_plot(bins: Sequence[tuple[float, float, int]]) -> str:
    """Draw how often the ensemble is right against how sure it is.

    Args:
        bins: (mean probability, share right, reviews).
    """
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(3.4, 3.2)
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
        for sure, right, reviews in bins:
            axes.plot([sure], [right], "o", color=BLUE, markersize=4 + reviews**0.5 / 2, alpha=0.8)
        axes.set_xlim(0, 1.03)
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("probability given")
        axes.set_ylabel("share right, held out")
        return _svg(figure)


def _canvas(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Figure) -> str:
    target = io.StringIO()
    # Metadata would carry the time: two runs on the same data give the same page.
    figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]
