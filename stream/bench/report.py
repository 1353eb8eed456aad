"""Rounds, medians, spread; a table for people and JSON for programs."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from stream.containers import available_cores

LIBRARIES: Final = ("aiokafka", "onnxruntime", "tokenizers", "redis", "numpy", "pydantic")


@dataclass(slots=True)
class Figure:
    """One measured thing over several rounds."""

    name: str
    unit: str
    rounds: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        """Median over the rounds; 0 when nothing was measured."""
        return statistics.median(self.rounds) if self.rounds else 0.0

    @property
    def spread(self) -> float:
        """Largest minus smallest round, as a share of the median."""
        if len(self.rounds) < 2 or not self.median:  # noqa: PLR2004 - one round has no spread
            return 0.0
        return (max(self.rounds) - min(self.rounds)) / self.median


@dataclass(slots=True)
class BenchmarkReport:
    """All figures of a benchmark, and the machine that they were measured on."""

    title: str
    baseline: str
    figures: list[Figure]
    facts: dict[str, Any] = field(default_factory=dict)

    def ratio(self, figure: Figure) -> float:
        """Return a figure as a multiple of the baseline's; rounds are paired, then the median."""
        base = next(f for f in self.figures if f.name == self.baseline)
        pairs = [a / b for a, b in zip(figure.rounds, base.rounds, strict=False) if b]
        return statistics.median(pairs) if pairs else 0.0

    def table(self) -> Table:
        """Return the figures as a table."""
        table = Table(title=self.title, title_justify="left")
        table.add_column("what")
        for header in ("median", "spread", f"x {self.baseline}"):
            table.add_column(header, justify="right")
        table.add_column("note")
        for figure in self.figures:
            table.add_row(
                figure.name,
                f"{readable(figure.median)} {figure.unit}",
                f"±{figure.spread / 2:.0%}",
                f"{self.ratio(figure):.2f}",
                figure.note,
            )
        return table

    def write(self, folder: Path, name: str) -> Path:
        """Write ``NAME.json`` into the folder and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        body = {
            "title": self.title,
            "baseline": self.baseline,
            "machine": machine(),
            "facts": self.facts,
            "figures": [
                asdict(f) | {"median": f.median, "spread": f.spread, "ratio": self.ratio(f)}
                for f in self.figures
            ],
        }
        path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def interleave(
    contenders: Mapping[str, Callable[[], float]], rounds: int, unit: str
) -> list[Figure]:
    """Measure every contender once a round, in turn, so that a drifting machine hits all alike.

    Args:
        contenders: measure once and return the value, by name.
        rounds: how often.
        unit: of the values.
    """
    figures = {name: Figure(name, unit) for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            figures[name].rounds.append(measure())
    return list(figures.values())


def readable(value: float) -> str:
    """Return a number with three significant digits or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def machine() -> dict[str, Any]:
    """Describe the machine and the libraries: what a figure is worth without them is little."""
    return {
        "cpu": _cpu_name(),
        "cores": available_cores(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
