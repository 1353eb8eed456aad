"""Figures into a page and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from schemas import all_categories
from stream.errors import not_written
from stream.reports.markdown import table
from stream.reports.pages import render
from training.errors import DataError
from training.labelling.noise import SuspiciousLabel
from training.labelling.report.figures import Figures, LabellerFigures, LlmFigures
from training.labelling.report.plots import bars_plot, calibration_plot, curve_plot
from training.measures.metrics import CategoryScore, Interval, category_scores, confusion

_TEMPLATE: Final = Path(__file__).with_name("page.html")
_SHOWN_CHARS: Final = 400
_SHOWN_NOISE: Final = 40
_BINS: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)
_NONE: Final = "–"
_Figure = tuple[str, str]
"""A figure and its 95% interval, as they are shown."""
_UNKNOWN: Final[_Figure] = (_NONE, "")


def write_report(
    folder: Path, figures: Figures, noise: Sequence[SuspiciousLabel] | None = None
) -> Path:
    """Write ``index.html`` and ``summary.md``; return the page's path.

    Args:
        folder: made if it is not there.
        figures: of a run.
        noise: suspicious labels by row of the run's items; None if nobody looked.

    Raises:
        DataError: the folder cannot be written to.
    """
    page = render(_TEMPLATE, **_context(figures, noise))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(page, encoding="utf-8")
        (folder / "summary.md").write_text(summary(figures), encoding="utf-8")
    except OSError as error:
        raise not_written(
            f"the report in {folder}", error, "name a folder of yours", DataError
        ) from None
    return folder / "index.html"


def summary(figures: Figures) -> str:
    """Return the report's figures as Markdown. It holds no review text."""
    lines = ["# Labelling summary", "", f"{figures.reviews:,} reviews. {_basis(figures)}", ""]
    lines += [f"- {value} {what}" for value, what in _tiles(figures)]
    lines += [f"- {note}" for note in _notes(figures)]
    if figures.methods:
        lines += ["", "## The ensemble beside each labeller alone", ""]
        rows = [
            (c.name, _flat(_share(c.accuracy)), _flat(_score(c.f1)), c.note)
            for c in figures.methods
        ]
        lines += table(("who", "accuracy", "weighted F1", ""), rows)
    lines += ["", "## Labeller by labeller", ""]
    shown = _labeller_rows(figures)
    columns = ("name", "coverage", "overlap", "conflict", "decided", "precision", "f1", "speed")
    lines += table(columns, [tuple(_flat(row[column]) for column in columns) for row in shown])
    if figures.llm is not None:
        lines += ["", "## LLM", "", *[f"- {name}: {value}" for name, value in _llm(figures.llm)]]
    lines += ["", "## Categories", ""]
    fields = ("name", "labelled", "validated", "voted", "why", "precision", "recall", "f1")
    lines += table(fields, [tuple(_flat(row[f]) for f in fields) for row in _categories(figures)])
    lines += ["", "In brackets: 95% intervals, Wilson for shares, bootstrap for F1."]
    return "\n".join(lines) + "\n"


def _context(figures: Figures, noise: Sequence[SuspiciousLabel] | None) -> dict[str, Any]:
    judged = figures.crossvalidated
    curve = ""
    if judged is not None and judged.curve:
        curve = Markup(curve_plot(judged.curve, judged.llm_share, judged.weighted_f1))  # noqa: S704
    labelled = {c.info.name("en"): n for c, n in figures.categories.items() if n}
    return {
        "reviews": f"{figures.reviews:,}",
        "basis": _basis(figures),
        "tiles": _tiles(figures),
        "notes": _notes(figures),
        # Plots are our own SVG: matplotlib escapes what stands in them.
        "decided_plot": Markup(bars_plot(figures.decided_by, "reviews")),  # noqa: S704
        "category_plot": Markup(bars_plot(labelled, "reviews labelled")),  # noqa: S704
        "methods": [
            {"name": c.name, "note": c.note, "accuracy": _share(c.accuracy), "f1": _score(c.f1)}
            for c in figures.methods
        ],
        "validated": figures.validated,
        "noise": round(100 * 2 * (0.05 * 0.95 / max(figures.validated, 1)) ** 0.5),
        "labellers": _labeller_rows(figures),
        "llm": _llm(figures.llm) if figures.llm else None,
        "curve": curve,
        "category_note": _category_note(figures),
        "categories": _categories(figures),
        **_confusion(figures),
        **_noise(figures, noise),
    }


def _basis(figures: Figures) -> str:
    if not figures.validated:
        return "No review is validated: nothing here is calibrated or measured."
    return f"Calibrated and measured on {figures.validated} validated reviews."


def _tiles(figures: Figures) -> list[tuple[str, str]]:
    people = figures.decided_by.get("people", 0)
    tiles = [(_percent(1 - people / max(figures.reviews, 1)), "decided without people")]
    judged = figures.crossvalidated
    if judged is not None:
        tiles.append((_percent(judged.precision), "of it right, held out"))
        tiles.append((f"{judged.weighted_f1:.3f}", "weighted F1, held out, guesses included"))
    if figures.llm is not None:
        tiles.append((_percent(figures.llm.deciding), "sent to the LLM to be decided"))
    dropped = len(figures.run.cascade.prior.dropped)
    tiles.append((str(dropped), "categories dropped"))
    return tiles


def _notes(figures: Figures) -> list[str]:
    notes = list(figures.run.notes)
    if figures.run.interrupted:
        notes.append("The run was interrupted: who had not been asked yet abstains.")
    if not figures.validated:
        notes.append("Label some 200 reviews by hand with `reviews label validate` and run again.")
    return notes


def _labeller_rows(figures: Figures) -> list[dict[str, Any]]:
    rows = [_labeller_row(labeller) for labeller in figures.labellers]
    if figures.llm is not None and figures.llm.calls is None:
        # The last one only looked its answers up.
        rows[-1]["speed"] = "recorded"
    return rows


def _labeller_row(labeller: LabellerFigures) -> dict[str, Any]:
    return {
        "name": labeller.name,
        "coverage": _percent(labeller.coverage),
        "overlap": _percent(labeller.overlap),
        "conflict": _percent(labeller.conflict),
        "decided": f"{labeller.decided:,}",
        "precision": _share(labeller.precision),
        "f1": _score(labeller.f1),
        "speaks": _NONE if labeller.speaks is None else f"{labeller.speaks:.2f}",
        "decides": _NONE if labeller.decides is None else f"{labeller.decides:.2f}",
        "speed": f"{labeller.per_second:,.0f}",
        "mistakes": [
            {
                "text": _cut(m.text),
                "truth": m.truth.info.name("en"),
                "said": m.said.info.name("en"),
                "confidence": _percent(m.confidence),
                "reason": m.reason,
            }
            for m in labeller.mistakes
        ],
    }


def _llm(llm: LlmFigures) -> list[tuple[str, str]]:
    rows = [
        ("model", llm.name),
        ("distinct reviews asked about", f"{llm.reviews:,}"),
        ("of them to learn what it is worth", f"{llm.validated:,}"),
        ("share of the reviews", _percent(llm.share)),
        ("share asked about in order to decide", _percent(llm.deciding)),
        ("reviews spared", f"{llm.spared:,}"),
        ("time", f"{llm.seconds:,.1f} s"),
    ]
    if llm.calls is None:
        return [*rows, ("calls", "none: the answers are recorded")]
    rows += [
        ("calls made", f"{llm.calls:,}"),
        ("answers from the cache", f"{llm.cached:,}"),
        ("malformed answers", f"{llm.malformed:,}"),
        ("calls that failed", f"{llm.failed:,}"),
        ("tokens", f"{llm.tokens:,}"),
    ]
    # What the spared reviews would have cost at the same rate.
    each = max(llm.reviews, 1)
    rows.append(("calls saved, about", f"{llm.spared * llm.calls / each:,.0f}"))
    if llm.money:
        rows += [
            ("cost", f"{llm.money:,.2f}"),
            ("cost saved, about", f"{llm.money * llm.spared / each:,.2f}"),
        ]
    return rows


def _category_note(figures: Figures) -> str:
    if not figures.validated:
        return "Nothing is validated, so no category can be called absent: all are kept that you do not drop."
    bound = figures.run.cascade.prior.fates[0].bound
    return (
        f"A category that {figures.validated} random reviews do not hold makes up at most "
        f"{bound:.1%} of the stream (95%). It is dropped; if labellers find more of it than that, "
        "only people may give it."
    )


def _categories(figures: Figures) -> list[dict[str, Any]]:
    scores: dict[int, CategoryScore] = {}
    if figures.crossvalidated is not None:
        judged = figures.crossvalidated
        found = category_scores(judged.truth, judged.decisions.category)
        scores = {score.category.id: score for score in found if score.support}
    rows = []
    for fate in figures.run.cascade.prior.fates:
        score = scores.get(fate.category.id)
        rows.append(
            {
                "name": fate.category.info.name("en"),
                "labelled": f"{figures.categories[fate.category]:,}",
                "validated": str(fate.validated),
                "voted": f"{fate.voted:,}",
                "fate": fate.fate.value,
                "why": fate.why,
                "precision": _two(score.precision, score.precision_interval) if score else _UNKNOWN,
                "recall": _two(score.recall, score.recall_interval) if score else _UNKNOWN,
                "f1": _two(score.f1) if score else _UNKNOWN,
            }
        )
    return rows


def _confusion(figures: Figures) -> dict[str, Any]:
    judged = figures.crossvalidated
    if judged is None:
        return {"confusion": None, "calibration": ""}
    matrix = confusion(judged.truth, judged.decisions.category)
    seen = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    names = [all_categories()[int(i)].info.name("en") for i in seen]
    rows = [
        [
            (int(matrix[i, j]), "hit" if i == j else "miss" if matrix[i, j] else "")
            for j in seen
        ]
        for i in seen
    ]  # fmt: skip
    sure = judged.decisions.confidence
    right = judged.decisions.category == judged.truth
    bins = []
    for low, high in pairwise(_BINS):
        inside = (sure >= low) & (sure < high)
        if inside.any():
            part = sure[inside].mean(), right[inside].mean(), int(inside.sum())
            bins.append((float(part[0]), float(part[1]), part[2]))
    plot = Markup(calibration_plot(bins))  # noqa: S704 - our own SVG
    return {
        "confusion": {"names": names, "rows": list(zip(names, rows, strict=True))},
        "calibration": plot,
    }


def _noise(figures: Figures, noise: Sequence[SuspiciousLabel] | None) -> dict[str, Any]:
    if noise is None:
        return {"noise_list": None, "noise_count": ""}
    run = figures.run
    return {
        "noise_count": f"{len(noise):,}",
        "noise_list": [
            {
                "text": _cut(run.items[s.row].text),
                "given": all_categories()[s.given].info.name("en"),
                "by": run.decisions.decided_by[s.row],
                "expected": all_categories()[s.expected].info.name("en"),
                "belief": _percent(s.belief),
            }
            for s in noise[:_SHOWN_NOISE]
        ],
    }


def _percent(share: float) -> str:
    return _NONE if np.isnan(share) else f"{share:.1%}"


def _share(interval: Interval | None) -> _Figure:
    if interval is None or np.isnan(interval.value):
        return _UNKNOWN
    return _percent(interval.value), f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


def _score(interval: Interval | None) -> _Figure:
    if interval is None:
        return _UNKNOWN
    return f"{interval.value:.3f}", f"{interval.low:.3f}–{interval.high:.3f}"


def _two(value: float, between: tuple[float, float] | None = None) -> _Figure:
    return f"{value:.2f}", f"{between[0]:.2f}–{between[1]:.2f}" if between else ""


def _flat(cell: str | _Figure) -> str:
    if isinstance(cell, str):
        return cell
    value, between = cell
    return f"{value} ({between})" if between else value


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1].rstrip() + "…"
