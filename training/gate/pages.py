"""How the report looks: its style sheet, and a picture of intervals around zero."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from training.measures.metrics import Interval

STYLE: Final = """
:root { color-scheme: light dark; --line: #d5d9e0; --good: #14683f; --bad: #a5271c; --soft: #5b6472 }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a414d; --good: #6fcf97; --bad: #ff8a7a; --soft: #a4adba }
}
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 }
main { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
h1.passed { color: var(--good) } h1.refused { color: var(--bad) }
.when, svg text { color: var(--soft); fill: var(--soft) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { font-weight: 600; color: var(--soft) }
tr.failed td { color: var(--bad); font-weight: 600 }
svg { width: 100%; max-width: 44rem; height: auto; font: 13px system-ui, sans-serif }
"""

_WIDTH: Final = 700
_LEFT: Final = 170
_ROW: Final = 28
_TOP: Final = 34
_LEAST_SPAN: Final = 0.02


def interval_picture(title: str, rows: Sequence[tuple[str, Interval]]) -> str:
    """Return an SVG: one line a row with its interval, and where zero is.

    Args:
        title: above it, and what a screen reader says.
        rows: name and interval.
    """
    span = max(_LEAST_SPAN, *(abs(v) for _, i in rows for v in (i.low, i.high))) * 1.1

    def x(value: float) -> float:
        return round(_LEFT + (value / span + 1) / 2 * (_WIDTH - _LEFT - 60), 1)

    bottom = _TOP + _ROW * len(rows)
    parts = [
        f"<svg viewBox='0 0 {_WIDTH} {bottom + 24}' role=img aria-label='{html.escape(title)}'>",
        f"<text x=0 y=16>{html.escape(title)}</text>",
        f"<line x1={x(0)} x2={x(0)} y1={_TOP - 8} y2={bottom} stroke='var(--soft)'></line>",
    ]
    for i, (name, interval) in enumerate(rows):
        y = _TOP + _ROW * i + 10
        sign = "--good" if interval.value >= 0 else "--bad"
        parts.append(
            f"<text x=0 y={y + 4}>{html.escape(name[:24])}</text>"
            f"<line x1={x(interval.low)} x2={x(interval.high)} y1={y} y2={y}"
            f" stroke='var({sign})' stroke-width=3></line>"
            f"<circle cx={x(interval.value)} cy={y} r=5 fill='var({sign})'></circle>"
            f"<text x={x(interval.high) + 8} y={y + 4}>{interval.value:+.3f}</text>"
        )
    parts += [f"<text x={x(0) - 4} y={bottom + 16}>0</text>", "</svg>"]
    return "".join(parts)
