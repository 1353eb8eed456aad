"""Pictures of a comparison, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from schemas import all_categories
from training.comparison.compare import Run
from training.comparison.table import Line, TestScore, calibrated
from training.data.dataset import Dataset
from training.drawing import BLUE, FAINT, GRID, INK, ORANGE, STYLE
from training.measures.calibration import reliability, risk_coverage, softmax
from training.measures.metrics import confusion

_DPI: Final = 140


def f1_plot(path: Path, table: Sequence[Line]) -> None:
    """Draw each candidate's weighted F1 with its interval, the best on top, a panel a test set."""
    tests = list(table[0].scores)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * len(tests) + 1.6, 0.42 * len(table) + 1.2))
        panels: Any = figure.subplots(1, len(tests), sharey=True, squeeze=False)[0]
        places = np.arange(len(table))[::-1]
        for axes, test in zip(panels, tests, strict=True):
            found = [line.scores[test].weighted for line in table]
            values = np.array([one.value for one in found])
            spread = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
            axes.errorbar(values, places, xerr=np.maximum(spread, 0), fmt="o", color=BLUE)
            axes.set_title(test, fontsize=10)
            axes.set_xlabel("weighted F1, 95% interval")
            axes.grid(axis="x", color=GRID)
        panels[0].set_yticks(places, [line.name for line in table])
        _save(figure, path)


def confusion_plot(path: Path, truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> None:
    """Draw the confusion matrix: rows are the truth, shades are shares of the row."""
    cells = confusion(truth, predicted)
    share = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    names = [category.slug for category in all_categories()]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 5.6))
        axes: Any = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.argwhere(cells > 0):
            colour = "white" if share[row, column] > 0.5 else INK  # noqa: PLR2004 - half
            axes.text(column, row, cells[row, column], ha="center", va="center", color=colour)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        _save(figure, path)


def calibration_plot(
    path: Path, runs: Sequence[Run], test: str, truth: NDArray[np.int64], score: TestScore
) -> None:
    """Draw accuracy against confidence, and risk against coverage, over all seeds.

    Args:
        path: of the picture.
        runs: of one candidate, one a seed.
        test: name of the test set.
        truth: its category ids, int64 [rows].
        score: of the candidate there; its figures stand above the panels.
    """
    halves = [half for run in runs for half in calibrated(run.logits[test], truth)]
    said, true = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    bars = reliability(said, true, 10)
    curves = [risk_coverage(softmax(run.logits[test]), truth) for run in runs]
    risk = np.mean([curve.risk for curve in curves], axis=0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.6))
        left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.32})
        least = max(0.0, min(0.9, *(min(bar.confidence, bar.accuracy) for bar in bars)) - 0.05)
        left.plot([least, 1], [least, 1], "--", color=FAINT)
        left.plot([b.confidence for b in bars], [b.accuracy for b in bars], "o-", color=BLUE)
        left.set(xlabel="confidence", ylabel="accuracy", xlim=(least, 1.02), ylim=(least, 1.02))
        left.set_title(f"expected calibration error {score.calibration_error:.3f}", fontsize=10)
        right.plot(curves[0].coverage, risk, color=ORANGE)
        right.set(xlabel="share published, surest first", ylabel="share of errors among them")
        right.set_title(f"area under the curve {score.risk_area:.4f}", fontsize=10)
        right.set_ylim(bottom=0)
        _save(figure, path)


def curve_plot(path: Path, table: Sequence[Line], shares: Mapping[str, float]) -> None:
    """Draw weighted and macro F1 against the share of the rows that was trained on.

    Args:
        path: of the picture.
        table: of the comparison.
        shares: of the rows, by candidate.
    """
    tests = list(table[0].scores)
    rising = sorted(table, key=lambda line: shares[line.name])
    places = [100 * shares[line.name] for line in rising]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * len(tests) + 1.0, 3.6))
        panels: Any = figure.subplots(1, len(tests), squeeze=False)[0]
        for axes, test in zip(panels, tests, strict=True):
            for name, colour in (("weighted", BLUE), ("macro", ORANGE)):
                found = [getattr(line.scores[test], name) for line in rising]
                values = np.array([one.value for one in found])
                spread = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
                axes.errorbar(
                    places, values, yerr=np.maximum(spread, 0), fmt="o-", color=colour, label=name
                )
            axes.set_xscale("log")
            axes.set_xticks(places, [f"{place:g}%" for place in places], minor=False)
            axes.minorticks_off()
            axes.set_title(test, fontsize=10)
            axes.set(xlabel="share of the rows trained on", ylabel="F1, 95% interval")
            axes.grid(axis="y", color=GRID)
            axes.legend(frameon=False, fontsize=8)
        _save(figure, path)


def losses_plot(path: Path, runs: Sequence[Run]) -> None:
    """Draw the training loss of each epoch, mean over the seeds."""
    groups: dict[str, list[tuple[float, ...]]] = {}
    for run in runs:
        if run.losses:
            groups.setdefault(run.candidate, []).append(run.losses)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.6))
        axes: Any = figure.subplots()
        for name, losses in groups.items():
            mean = np.mean(losses, axis=0)
            axes.plot(range(1, len(mean) + 1), mean, "o-", label=name, markersize=3)
        axes.set(xlabel="epoch", ylabel="training loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if groups:
            axes.legend(frameon=False, fontsize=8, bbox_to_anchor=(1.02, 1), loc="upper left")
        _save(figure, path)


def write_plots(
    folder: Path,
    table: Sequence[Line],
    runs: Sequence[Run],
    tests: Mapping[str, Dataset],
    best: Mapping[str, NDArray[np.float64]],
    shares: Mapping[str, float],
) -> dict[str, str]:
    """Write all pictures.

    Args:
        folder: exists.
        table: of the comparison.
        runs: of the comparison.
        tests: labelled rows by name.
        best: the first candidate's probabilities by test set.
        shares: of the rows that each candidate was trained on, by its name.

    Returns:
        File name by title, in the order of the page.
    """
    files = {"Weighted F1": "f1.png"}
    f1_plot(folder / "f1.png", table)
    if min(shares.values()) < 1:
        files["Learning curve"] = "curve.png"
        curve_plot(folder / "curve.png", table, shares)
    of_first = [run for run in runs if run.candidate == table[0].name]
    if any(run.losses for run in runs):
        files["Training loss"] = "losses.png"
        losses_plot(folder / "losses.png", runs)
    for number, (test, rows) in enumerate(tests.items(), start=1):
        said = best[test]
        confusion_plot(
            folder / f"confusion-{number}.png",
            rows.categories,
            np.asarray(said.argmax(axis=1), dtype=np.int64),
        )
        picture = folder / f"calibration-{number}.png"
        calibration_plot(picture, of_first, test, rows.categories, table[0].scores[test])
        files[f"{table[0].name} on {test}: confusion"] = f"confusion-{number}.png"
        files[f"{table[0].name} on {test}: calibration"] = f"calibration-{number}.png"
    return files


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=_DPI, bbox_inches="tight", facecolor="white")
