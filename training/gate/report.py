"""The gate's report: one page for people, Markdown for a merge request, JSON for programs."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from training.gate.pages import STYLE, interval_picture
from training.gate.verdict import AuditFindings, Check, FrozenScores, GateVerdict, SetFindings
from training.registry.files import write_atomically

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
    lines = [f"# {_headline(verdict)}", "", f"{verdict.at:%Y-%m-%d %H:%M} UTC.", ""]
    lines += [f"- {reason}" for reason in _reasons(verdict)]
    for title, header, rows in _tables(verdict):
        lines += ["", f"## {title}", "", _line(header), _line(["---"] * len(header))]
        lines += [_line(row) for row in rows]
    return "\n".join(lines) + "\n"


def as_html(verdict: GateVerdict) -> str:
    """Return the report as one page without scripts or anything from elsewhere."""
    verdict_class = "passed" if verdict.passed else "refused"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>{html.escape(_headline(verdict))}</title><style>{STYLE}</style><main>",
        f"<h1 class={verdict_class}>{html.escape(_headline(verdict))}</h1>",
        f"<p class=when>{verdict.at:%Y-%m-%d %H:%M} UTC</p><ul>",
        *(f"<li>{html.escape(reason)}</li>" for reason in _reasons(verdict)),
        "</ul>",
    ]
    if picture := _picture(verdict.sets):
        parts.append(picture)
    for title, header, rows in _tables(verdict):
        parts += [f"<h2>{html.escape(title)}</h2>", _html_table(header, rows)]
    return "\n".join([*parts, "</main></html>"]) + "\n"


def _headline(verdict: GateVerdict) -> str:
    word = "may serve" if verdict.passed else "is refused"
    return f"Model {verdict.candidate} {word}"


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


def _picture(sets: Sequence[SetFindings]) -> str:
    compared = [(s.name, s.difference) for s in sets if s.difference is not None]
    return interval_picture("Weighted F1, candidate minus serving", compared) if compared else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _line(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_table(header: Row, rows: Sequence[Row]) -> str:
    head = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr{' class=failed' if row[0] == 'FAILED' else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
