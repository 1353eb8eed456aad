"""``python -m tests.faults.soak``: overload, long; memory, lag, latency and rebalances meanwhile.

Two workers whose model takes a fixed time a row get twice the reviews that they can classify. Then
the input falls to a tenth, and two more workers come, as an autoscaler would bring them.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from matplotlib.figure import Figure
from rich.console import Console

from tests.faults import report
from tests.faults.arena import Arena
from tests.faults.experiment import Experiment, Result, Scenario

_ROW_MS: Final = 8.0
_WORKERS: Final = 2
_RELIEVED_WORKERS: Final = 4  # one a partition
# One thread of inference a worker: 125 rows/s each.
CAPACITY: Final = int(_WORKERS * 1000 / _ROW_MS)
_CALM: Final = CAPACITY // 10
_SAMPLE_SECONDS: Final = 2.0
_MIB: Final = 1024 * 1024
# An oldest waiting review younger than this: the pipeline keeps up.
_CALM_LATENCY: Final = 3.0
_messages: Final = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment.

    Attributes:
        second: since the overload began.
        sent: reviews acknowledged so far.
        lag: reviews acknowledged and not yet committed by the group.
        latency: seconds that the oldest of these has waited.
        memory: largest worker, MiB resident.
    """

    second: float
    sent: int
    lag: int
    latency: float
    memory: float


@dataclass(slots=True)
class Course:
    """The samples of a soak and what is computed from them."""

    samples: list[Sample] = field(default_factory=list)
    overload_seconds: float = 0.0
    rebalances: int = 0
    """Assignments heard by the workers during the overload."""

    def figures(self) -> dict[str, Any]:
        """Return the figures for a report; memory in MiB, times in seconds."""
        hot = [s for s in self.samples if s.second <= self.overload_seconds]
        # The first tenth fills buffers: growth is what comes after it.
        settled = hot[len(hot) // 10 :]
        sent = hot[-1].sent - hot[0].sent
        committed = sent - (hot[-1].lag - hot[0].lag)
        calm = [s.second for s in self.samples if s not in hot and s.latency < _CALM_LATENCY]
        return {
            "overload_seconds": round(self.overload_seconds),
            "input_over_capacity": round(sent / max(committed, 1), 2),
            "memory_start": round(settled[0].memory, 1),
            "memory_end": round(settled[-1].memory, 1),
            "memory_max": round(max(s.memory for s in self.samples), 1),
            "lag_max": max(s.lag for s in self.samples),
            "latency_max": round(max(s.latency for s in self.samples), 1),
            "latency_recovered_after": (
                round(calm[0] - self.overload_seconds, 1) if calm else None
            ),
            "rebalances": self.rebalances,
        }


class _Backlog:
    """Lag, and how long its oldest review has waited, from offsets alone."""

    def __init__(self) -> None:
        self._history: dict[int, list[tuple[float, int]]] = {}

    def look(
        self, now: float, ends: Mapping[int, int], done: Mapping[int, int]
    ) -> tuple[int, float]:
        lag, oldest = 0, now
        for partition, end in ends.items():
            history = self._history.setdefault(partition, [])
            history.append((now, end))
            committed = done.get(partition, 0)
            while history and history[0][1] <= committed:
                history.pop(0)
            lag += max(end - committed, 0)
            if history:
                oldest = min(oldest, history[0][0])
        return lag, now - oldest


class Soak:
    """Overloads, watches, relieves. Its :meth:`inject` is the fault of a scenario.

    Args:
        seconds: of overload.
        journal: gets every sample as a line of JSON when it is taken.
    """

    def __init__(self, seconds: float, journal: Path) -> None:
        self.course = Course()
        self._seconds = seconds
        self._journal = journal
        self._backlog = _Backlog()
        self._started = 0.0

    async def inject(self, run: Experiment) -> str:
        """Overload for the wanted time, then relieve and wait until latency is back."""
        self._started = time.monotonic()
        before = _assignments(run)
        run.load.rate = 2 * CAPACITY
        while (passed := time.monotonic() - self._started) < self._seconds:
            await self._sample(run)
        self.course.overload_seconds = passed
        self.course.rebalances = _assignments(run) - before
        run.load.rate = _CALM
        await run.fleet.scale(_RELIEVED_WORKERS)
        while (await self._sample(run)).latency > _CALM_LATENCY:
            if time.monotonic() - self._started > _limit(self._seconds):
                break
        return f"{2 * CAPACITY} reviews/s into {CAPACITY} for {self._seconds / 60:.0f} min"

    async def _sample(self, run: Experiment) -> Sample:
        await asyncio.sleep(_SAMPLE_SECONDS)
        ends = dict(run.load.ends)
        now = time.monotonic() - self._started
        lag, latency = self._backlog.look(now, ends, await run.committed())
        memory = run.fleet.memory() / _MIB
        sample = Sample(now, len(run.load.acknowledged), lag, latency, memory)
        self.course.samples.append(sample)
        # At once: a soak that is cut off after an hour has still seen something.
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(asdict(sample)) + "\n")
        return sample


def _limit(seconds: float) -> float:
    """Until when the backlog of so long an overload must be worked off, since the overload began."""
    return 3 * seconds + 120


def _assignments(run: Experiment) -> int:
    logs = [member.log.read_text(errors="replace") for member in run.fleet.members]
    return sum(log.count('"assigned"') for log in logs)


def plot(samples: Sequence[Sample], overload: float, path: Path) -> None:
    """Draw lag, latency and memory over time."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    minutes = [s.second / 60 for s in samples]
    lines: list[tuple[str, list[float]]] = [
        ("reviews waiting, thousands", [s.lag / 1000 for s in samples]),
        ("oldest has waited, s", [s.latency for s in samples]),
        ("largest worker, MiB", [s.memory for s in samples]),
    ]
    for index, (name, values) in enumerate(lines):
        axes = figure.add_subplot(len(lines), 1, index + 1)
        axes.plot(minutes, values)
        axes.axvspan(0, overload / 60, alpha=0.12, color="tab:red")
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        if index == 0:
            axes.set_title("Twice the capacity (red), then a tenth of it and two more workers")
    axes.set_xlabel("minutes")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


async def _soak(folder: Path, seed: int, seconds: float) -> tuple[Result, Course]:
    soak = Soak(seconds, folder / "samples.jsonl")
    scenario = Scenario(
        "soak",
        soak.inject,
        1,
        workers=_WORKERS,
        rate=_CALM,
        environment={
            # Answers from the cache would add to the capacity.
            "REVIEWS_CACHE__URL": "",
            "FAULTS_ROW_MS": str(_ROW_MS),
        },
    )
    async with Arena(folder) as arena:
        result = await Experiment(arena, scenario, seed, seconds=_limit(seconds) + 120).run(
            1, lambda _: None
        )
    return result, soak.course


def main(
    minutes: Annotated[float, typer.Option(help="Length of the overload.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of the workload; 0: a new one.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("build/soak.json"),
) -> None:
    """Send twice the capacity for a long time and see that nothing grows, falls over or is lost."""
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    _messages.print(f"seed {seed}; {minutes:g} minutes of overload, then the backlog")
    folder = out.parent / f"soak-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    result, course = asyncio.run(_soak(folder, seed, 60 * minutes))
    if result.error or not course.overload_seconds:
        _messages.print(f"[red]the soak broke off[/]: {result.error}")
        raise typer.Exit(1)
    figures = course.figures()
    samples = [asdict(sample) for sample in course.samples]
    verdict = result.verdict.as_dict()
    report.write(
        out,
        {"seed": seed, **figures, "kept": result.kept, "verdict": verdict, "samples": samples},
    )
    plot(course.samples, course.overload_seconds, out.with_suffix(".png"))
    shown = {**figures, "sent": result.verdict.sent, "kept": result.kept}
    typer.echo(json.dumps(shown, indent=2))
    _messages.print(f"figures: {out}, picture: {out.with_suffix('.png')}")
    if not result.kept or course.rebalances:
        _messages.print(f"[red]not kept[/]: {report.why(result) or 'rebalances'}")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
