"""A report as a picture: one bar a figure, every round a dot."""

from __future__ import annotations

from pathlib import Path

from stream.bench.report import BenchmarkReport, readable
from stream.errors import ReviewsError


def draw(report: BenchmarkReport, path: Path) -> None:
    """Write a PNG of a report's figures.

    Args:
        report: what was measured; its figures share one unit.
        path: of the picture.

    Raises:
        ReviewsError: the package matplotlib is absent.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - not a serving package
    except ImportError:
        raise ReviewsError(
            "pictures need the package matplotlib", "pip install 'reviews-stream[train]'"
        ) from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of its backend

    figures = report.figures
    height = 1.2 + 0.45 * len(figures)
    canvas, axes = plt.subplots(figsize=(9, height), layout="constrained")
    rows = range(len(figures))
    colours = ["#2f6f9f" if f.name == report.baseline else "#9db8c9" for f in figures]
    axes.barh(rows, [f.median for f in figures], color=colours)
    for row, figure in zip(rows, figures, strict=True):
        axes.plot(figure.rounds, [row] * len(figure.rounds), "o", color="#222222", markersize=3)
        largest = max(figure.rounds, default=0.0)
        label = f"{readable(figure.median)}  ({report.ratio(figure):.2f}x)"
        axes.annotate(label, (largest, row), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set_yticks(rows, [f.name for f in figures])
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"{figures[0].unit} (bar: median, dots: rounds, x: multiple of the dark bar)")
    axes.set_title(report.title, loc="left")
    canvas.savefig(path, dpi=120)
    plt.close(canvas)
