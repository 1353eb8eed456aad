"""Figures of several rounds, measured in several ways, and how much one way is of another."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from stream.cli.console import note


class Rounds:
    """Figures by what was measured and by way: one a round.

    Args:
        baseline: the way that the others are compared with, round by round.
    """

    def __init__(self, baseline: str) -> None:
        self._baseline = baseline
        self._found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, what: str, way: str, value: float) -> None:
        """Add the figure of one more round."""
        self._found[what][way].append(value)
        note(f"{what}, {way}: {value:.4g}")

    def ratio(self, what: str, way: str) -> float:
        """Return the median of the ratios to the baseline's figures; those to zero are none."""
        ways = self._found[what]
        pairs = zip(ways[way], ways[self._baseline], strict=True)
        return statistics.median([a / b for a, b in pairs if b] or [math.nan])

    def report(self, output: Path, **facts: Any) -> None:
        """Print medians and ratios, and write them and every round's figures as JSON."""
        rows = {}
        for what, ways in self._found.items():
            for way, values in ways.items():
                ratio = self.ratio(what, way)
                rows[f"{what}, {way}"] = {"rounds": values, "ratio": ratio}
                note(f"{what}, {way}: {statistics.median(values):.4g} x{ratio:.2f}")
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps({"facts": facts, "figures": rows}, indent=2) + "\n")
