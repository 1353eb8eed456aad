"""Draws what `changing_streams` measured: ``python -m tests.bench.changing_picture``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

DOCS: Final = Path(__file__).parents[2] / "deploy" / "docs"
MEASURED: Final = DOCS / "measurements" / "changing-streams.json"
PICTURE: Final = DOCS / "changing-streams.svg"
_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 880, 64, 220, 250, 74
_STYLE: Final = (
    "text{font:13px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2933}"
    ".soft{fill:#52606d}.head{font-size:16px;font-weight:600}.bad{fill:#c92a2a}.good{fill:#2b8a3e}"
)


def drawn(measured: dict[str, Any]) -> str:
    """Return the picture as SVG: wrong reviews published after each change, without and with the guard."""
    streams = measured["streams"]
    most = max(line["wrong_without"] for line in streams)
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    height = _TOP + _ROW * len(streams) + 16
    share = f"{measured['share']:.0%}"
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            'aria-label="Wrong reviews published after a change, without and with the guard">'
        ),
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" rx="10" fill="#fff"/>',
        '<text class="head" x="20" y="30">Wrong reviews published in the 100,000 after a change</text>',
        (
            f'<text class="soft" x="20" y="52">without the guard, and with it; {share} of what is published '
            "is audited</text>"
        ),
    ]
    for i, line in enumerate(streams):
        y = _TOP + i * _ROW
        parts.append(f'<text x="20" y="{y + 24}">{escape(line["stream"])}</text>')
        parts.append(f'<text class="soft" x="20" y="{y + 42}">{_precision(line)}</text>')
        for name, colour, offset in (("wrong_without", "bad", 8), ("wrong_with", "good", 28)):
            length = max(line[name] * scale, 1.0)
            parts.append(
                f'<rect class="{colour}" x="{_LEFT}" y="{y + offset}" width="{length:.1f}" height="16" rx="2"/>'
            )
            parts.append(
                f'<text x="{_LEFT + length + 6:.1f}" y="{y + offset + 13}">{line[name]:,.0f}</text>'
            )
        parts.append(f'<text class="soft" x="{_WIDTH - 190}" y="{y + 32}">{_alarm(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _precision(line: dict[str, Any]) -> str:
    after = f"{line['precision_after']:.1%}" if line["published_after"] else "none published"
    return f"{line['precision_before']:.1%} right, then {after}"


def _alarm(line: dict[str, Any]) -> str:
    if not line["wrong_without"]:
        return "nothing is published"
    if line["audits"] is None:
        return "no proof"
    return f"proof after {line['audits']:,} audits"


def main() -> None:
    """Write the picture."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    PICTURE.write_text(drawn(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
