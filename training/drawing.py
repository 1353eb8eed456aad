"""How plots of reports look: one style for all that matplotlib draws."""

from __future__ import annotations

from typing import Any, Final

INK: Final = "#1f2933"
FAINT: Final = "#9aa5b1"
GRID: Final = "#e4e7eb"
BLUE: Final = "#2563eb"
ORANGE: Final = "#d97706"
# Any: the stubs name every key of matplotlib as a literal.
STYLE: Final[dict[Any, Any]] = {
    # Text stays text in SVG: small files, and a reader can search and copy it.
    "svg.fonttype": "none",
    "svg.hashsalt": "reviews",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""For ``matplotlib.rc_context``."""
