"""Runs scenarios in their arenas, one after another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.faults.arena import Arena
from tests.faults.experiment import (
    OURS,
    REFERENCES,
    SCENARIO_SECONDS,
    Experiment,
    Injection,
    Pipeline,
    Result,
    Scenario,
)
from tests.faults.outages import small_disk, unmount
from tests.faults.scenarios import DISK

# Room for the topics of one scenario; filling it takes a second.
_DISK_MEGABYTES: Final = 400
# Reviews per second of each scenario when several run at the same time on two cores.
_TOGETHER_RATE: Final = 150


class Transactions(StrEnum):
    """What ``REVIEWS_WORKER__TRANSACTIONS`` may be."""

    PARTITION = "partition"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Plan:
    """One scenario to run, how often its fault strikes, and whom."""

    scenario: Scenario
    repeats: int
    pipeline: Pipeline = OURS


@dataclass(slots=True)
class Watcher:
    """Told what happens, for a progress display."""

    begins: Callable[[Plan], None] = lambda _: None
    injected: Callable[[Plan, Injection], None] = lambda *_: None
    ended: Callable[[Plan, Result], None] = lambda *_: None


async def run(
    plans: Sequence[Plan], folder: Path, seed: int, watcher: Watcher, deadline: float
) -> list[Result]:
    """Run all plans. Those that need the same kind of arena share one.

    Args:
        plans: what to run.
        folder: for the servers' data and all logs.
        seed: of everything that is random.
        watcher: told what happens.
        deadline: monotonic clock; no scenario begins later.
    """
    results: list[Result] = []
    clusters = {(p.scenario.brokers, tuple(p.scenario.properties.items())) for p in plans}
    for number, (brokers, properties) in enumerate(sorted(clusters)):
        here = [
            p
            for p in plans
            if (p.scenario.brokers, tuple(p.scenario.properties.items())) == (brokers, properties)
            and p.scenario.name != DISK.name
        ]
        arena = Arena(folder / f"cluster-{number}", brokers, dict(properties))
        results += await _in_arena(arena, here, seed, watcher, deadline)
    for plan in plans:
        if plan.scenario.name == DISK.name:
            results += await _on_small_disk(folder / "disk", plan, seed, watcher, deadline)
    return results


async def run_together(
    plans: Sequence[Plan],
    folder: Path,
    seed: int,
    watcher: Watcher,
    seconds: float = SCENARIO_SECONDS,
) -> list[Result]:
    """Run plans for one broker at the same time: most of a scenario is waiting for time-outs.

    Where a proxy fails, it fails for all of them; that makes it harsher, not wrong.
    A scenario that is not over after ``seconds`` is a failed one, and says so.
    """
    async with Arena(folder) as arena:
        running = [_run_one(arena, _smaller(plan), seed, watcher, seconds) for plan in plans]
        return list(await asyncio.gather(*running))


def _smaller(plan: Plan) -> Plan:
    scenario = replace(plan.scenario, rate=_TOGETHER_RATE)
    return replace(plan, scenario=scenario)


def plan(
    scenarios: Iterable[Scenario], *, quick: bool, only: Sequence[str], version: int = 2
) -> list[Plan]:
    """Choose scenarios by part of their names, and their repeats.

    Args:
        scenarios: to choose from.
        quick: the subset of `make test`.
        only: parts of names; none: all.
        version: newest of Kafka's transactions that workers use.
    """
    chosen = [
        s if s is DISK else s.in_version(version)
        for s in scenarios
        if version in s.versions and (not only or any(part in s.name for part in only))
    ]
    if quick:
        return [Plan(s, s.quick or 1) for s in chosen if s.quick or only]
    return [Plan(s, s.repeats) for s in chosen]


def under(transactions: Transactions, plans: Iterable[Plan]) -> list[Plan]:
    """Let the workers of these plans commit one transaction a partition, or one a worker."""
    variable = {"REVIEWS_WORKER__TRANSACTIONS": transactions.value}
    return [
        replace(
            plan,
            scenario=replace(plan.scenario, environment={**plan.scenario.environment, **variable}),
        )
        for plan in plans
    ]


def reference_plans(scenarios: Iterable[Scenario], *, only: Sequence[str]) -> list[Plan]:
    """Choose what the reference loops go through, by part of the scenarios' or loops' names."""
    return [
        Plan(s, s.repeats, pipeline)
        for pipeline in REFERENCES
        for s in scenarios
        if not only or any(part in s.name or part == pipeline.name for part in only)
    ]


async def _in_arena(
    arena: Arena, plans: Sequence[Plan], seed: int, watcher: Watcher, deadline: float
) -> list[Result]:
    if not plans or time.monotonic() > deadline:
        return []
    async with arena:
        return [
            await _run_one(arena, plan, seed, watcher)
            for plan in plans
            if time.monotonic() < deadline
        ]


async def _run_one(
    arena: Arena,
    plan: Plan,
    seed: int,
    watcher: Watcher,
    seconds: float = SCENARIO_SECONDS,
) -> Result:
    watcher.begins(plan)
    experiment = Experiment(arena, plan.scenario, seed, plan.pipeline, seconds)
    result = await experiment.run(plan.repeats, lambda i: watcher.injected(plan, i))
    watcher.ended(plan, result)
    return result


async def _on_small_disk(
    folder: Path, plan: Plan, seed: int, watcher: Watcher, deadline: float
) -> list[Result]:
    async with _mounted(folder / "kafka") as mounted:
        if not mounted:  # not root, or a container that may not mount
            return []
        return await _in_arena(Arena(folder), [plan], seed, watcher, deadline)


@contextlib.asynccontextmanager
async def _mounted(folder: Path) -> AsyncIterator[bool]:
    mounted = small_disk(folder, _DISK_MEGABYTES)
    try:
        yield mounted
    finally:
        if mounted:
            unmount(folder)
