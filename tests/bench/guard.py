"""Has anything become slower? Ratios of this run against those of a recorded one, never seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

# Rounds of one run lie within 10-15% of each other here; what is beyond a quarter is no noise.
TOLERANCE: Final = 0.25
_LESS_IS_BETTER: Final = frozenset({"ms", "s", "bytes"})
# As a baseline: the other figures are those of rivals.
OURS: Final = "ours"


def regressions(recorded: Path, measured: Path, tolerance: float = TOLERANCE) -> list[str]:
    """Compare the result files that both folders hold.

    Args:
        recorded: folder of an earlier run's JSON.
        measured: folder of this run's JSON.
        tolerance: how much worse a ratio may be, as a share.

    Returns:
        One sentence for each figure that is worse than that; empty when all is well.
    """
    found: list[str] = []
    for path in sorted(recorded.glob("*.json")):
        now = measured / path.name
        if now.is_file():
            found += _compare(path.stem, _ratios(path), _ratios(now), tolerance)
    return found


def _ratios(path: Path) -> dict[str, tuple[float, bool]]:
    """Return ratio to the baseline, and whether less is better, by figure."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rivals = report["baseline"] == OURS
    return {
        figure["name"]: (float(figure["ratio"]), rivals or figure["unit"] in _LESS_IS_BETTER)
        for figure in report["figures"]
    }


def _compare(
    name: str,
    recorded: dict[str, tuple[float, bool]],
    measured: dict[str, tuple[float, bool]],
    tolerance: float,
) -> list[str]:
    found = []
    for figure, (before, less_is_better) in recorded.items():
        now, _ = measured.get(figure, (before, less_is_better))
        limit = before * (1 + tolerance) if less_is_better else before * (1 - tolerance)
        if (now > limit) if less_is_better else (now < limit):
            found.append(
                f"{name}: {figure} is at {now:.2f}x its baseline, recorded was {before:.2f}x"
            )
    return found
