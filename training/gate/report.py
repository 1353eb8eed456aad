"""The gate's report: one page for people, Markdown for a merge request, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from stream.reports.markdown import table
from stream.reports.pages import render
from training.gate.verdict import AuditFindings, Check, FrozenScores, GateVerdict, SetFindings
from training.registry.files import write_atomically

_TEMPLATE: Final = Path(__file__).with_name("page.html")
# A difference smaller than this is drawn as one, and not as wide as the page.
_LEAST_SPAN: Final = 0.02
_BLESSINGS: Final = (("infrastructure", "Infrastructure"), ("metrics", "Metrics"))
Row = Sequence[str]


def write_report(verdict: GateVerdict, folder: Path) -> Path:
    """Write ``gate.html``, ``gate.md`` and ``gate.json``, and return the page."""
    write_atomically(folder / "gate.json", verdict.model_dump_json(indent=2) + "\n")
    write_atomically(folder / "gate.md", as_markdown(verdict))
    page = folder / "gate.html"
    write_atomically(page, as_html(verdict))
    return page


def as_markdown(verdict: GateVerdict) -> str:
    """Return the report as Markdown."""
    lines = [f"# {_headline(verdict)}", "", f"{_at(verdict)}.", ""]
    lines += [f"- {reason}" for reason in _reasons(verdict)]
    for title, header, rows in _tables(verdict):
        lines += ["", f"## {title}", "", *table(header, rows)]
    return "\n".join(lines) + "\n"


def as_html(verdict: GateVerdict) -> str:
    """Return the report as one page without scripts or anything from elsewhere."""
    compared = [(s.name, s.difference) for s in verdict.sets if s.difference is not None]
    ends = (abs(value) for _, found in compared for value in (found.low, found.high))
    return render(
        _TEMPLATE,
        verdict=verdict,
        headline=_headline(verdict),
        at=_at(verdict),
        reasons=_reasons(verdict),
        compared=compared,
        span=max([_LEAST_SPAN, *ends]) * 1.1,
        tables=list(_tables(verdict)),
    )


def _headline(verdict: GateVerdict) -> str:
    word = "may serve" if verdict.passed else "is refused"
    return f"Model {verdict.candidate} {word}"


def _at(verdict: GateVerdict) -> str:
    return f"{verdict.at:%Y-%m-%d %H:%M} UTC"


def _reasons(verdict: GateVerdict) -> list[str]:
    """Return the reasons, and what the comparison cannot tell, which a refusal does not hide."""
    return list(dict.fromkeys([*verdict.reasons, *verdict.cautions]))


def _tables(verdict: GateVerdict) -> Iterable[tuple[str, Row, list[Row]]]:
    for blessing, title in _BLESSINGS:
        if checks := [c for c in verdict.checks if c.blessing == blessing]:
            yield title, ("", "check", "found", "wanted"), [_check_row(c) for c in checks]
    if verdict.sets:
        header = ("set", "rows", "labels", "model", "weighted F1", "macro F1", "accuracy")
        rows: list[Row] = [row for one in verdict.sets for row in _set_rows(one)]
        yield "Frozen sets", (*header, "published", "precision of it", "ECE"), rows
    if verdict.audits:
        columns = ("model", "published of them", "precision of it", "95% interval")
        yield _audits_title(verdict.audits), columns, _audit_rows(verdict.audits)
    if verdict.categories:
        rows = [
            (c.category, str(c.rows), f"{c.candidate_f1:.3f}", _number(c.serving_f1))
            for c in verdict.categories
        ]
        yield "F1 by category", ("category", "rows", "candidate", "serving"), rows
    if verdict.speed:
        yield "Speed and size", ("", "candidate", "serving"), _speed_rows(verdict)


def _check_row(check: Check) -> Row:
    return ("passed" if check.passed else "FAILED", check.name, check.found, check.wanted)


def _set_rows(one: SetFindings) -> list[Row]:
    rows = [(one.name, str(one.rows), one.whose, "candidate", *_score_cells(one.candidate))]
    if one.serving is not None:
        rows.append(("", "", "", "serving", *_score_cells(one.serving)))
    return [tuple(row) for row in rows]


def _score_cells(scores: FrozenScores) -> Row:
    return (
        str(scores.weighted_f1),
        f"{scores.macro_f1:.3f}",
        f"{scores.accuracy:.3f}",
        f"{scores.published:.1%}",
        _number(scores.precision),
        f"{scores.calibration_error:.3f}",
    )


def _audits_title(found: AuditFindings) -> str:
    return f"{found.decided} audits of what {found.model[:12]} published"


def _audit_rows(found: AuditFindings) -> list[Row]:
    named = (
        ("as published", found.as_published),
        ("candidate", found.candidate),
        ("serving, asked again", found.serving),
    )
    return [
        (name, f"{one.published:.1%}", _number(one.precision), f"{one.low:.3f} to {one.high:.3f}")
        for name, one in named
    ]


def _speed_rows(verdict: GateVerdict) -> list[Row]:
    speed = verdict.speed
    assert speed is not None  # noqa: S101 - the caller looked
    size = speed.serving_bytes
    return [
        ("ms a review", f"{speed.candidate_ms:.3f}", _number(speed.serving_ms)),
        ("MB", f"{speed.candidate_bytes / 1e6:.2f}", "-" if size is None else f"{size / 1e6:.2f}"),
        ("first batch, ms", f"{speed.warm_up_ms:.0f}", "-"),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
