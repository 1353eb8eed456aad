"""One scenario under load: workers, producer, injections one after another, then the checker."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from schemas import TopicNames
from tests.faults.arena import Arena
from tests.faults.fleet import Fleet
from tests.faults.ledger import Input, Verdict, check
from tests.faults.load import Load
from tests.faults.progress import Progress
from tests.faults.reading import inputs, open_transactions, outcome, read_to_end, summed_up
from tests.faults.wire import NAMING
from tests.faults.workload import Mix, Workload

# Short, so that a dead worker is noticed and its transaction settled within a scenario's time.
TIMEOUTS: Final = {
    "REVIEWS_WORKER__SESSION_TIMEOUT_MS": "6000",
    "REVIEWS_WORKER__HEARTBEAT_INTERVAL_MS": "500",
    "REVIEWS_WORKER__TRANSACTION_TIMEOUT_MS": "8000",
    "REVIEWS_WORKER__DRAIN_TIMEOUT": "5",
    "REVIEWS_KAFKA__REQUEST_TIMEOUT_MS": "4000",
}
SESSION_SECONDS: Final = 6.0
# They only bound a failure: recoveries are measured, never asserted tightly.
RECOVERY_SECONDS: Final = 180.0
_SETTLE_SECONDS: Final = 60.0
SCENARIO_SECONDS: Final = 1800.0

_NAMING: Final = frozenset(api.name for api in NAMING)

Injector = Callable[["Experiment"], Awaitable[str]]
"""Does one fault from its beginning to its end; returns what exactly it did."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done to a pipeline.

    Attributes:
        name: short, for the table.
        inject: one fault.
        repeats: how often in the full suite.
        quick: how often in the quick one.
        brokers: how many the arena has.
        workers: how many should run.
        proxied: workers reach the brokers through the proxies.
        rate: events per second.
        mix: what the events are.
        environment: further variables of the workers.
        properties: further ones of the brokers; scenarios with the same share an arena.
        versions: of Kafka's transactions in which it can happen.
    """

    name: str
    inject: Injector
    repeats: int
    quick: int = 0
    brokers: int = 1
    workers: int = 2
    proxied: bool = False
    rate: int = 400
    mix: Mix = field(default_factory=Mix)
    environment: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    versions: Sequence[int] = (1, 2)

    def in_version(self, version: int) -> Scenario:
        """Return it for workers whose transactions are of this version at most."""
        newest = {"REVIEWS_WORKER__TRANSACTION_VERSION": str(version)}
        return replace(self, environment={**self.environment, **newest})


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault that happened.

    Attributes:
        what: in words.
        recovery: seconds from the fault's end until every partition has committed all that had been
            acknowledged a quarter of a second later; None if that did not happen.
    """

    what: str
    recovery: float | None


@dataclass(slots=True)
class Result:
    """What became of a scenario."""

    scenario: str
    pipeline: str
    seed: int
    injections: list[Injection] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    caught_up: bool = False
    """Whether lag returned to zero in the end."""
    open_transactions: int = 0
    """Output partitions whose last stable offset stays behind their end."""
    accidents: list[str] = field(default_factory=list)
    memory_start: int = 0
    memory_end: int = 0
    """Largest worker, bytes resident: after the start, and before the end."""
    seconds: float = 0.0
    error: str = ""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        recovered = all(i.recovery is not None for i in self.injections)
        whole = self.caught_up and recovered and not self.open_transactions
        return whole and self.verdict.clean and not self.accidents and not self.error

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a report."""
        return asdict(self) | {"kept": self.kept, "verdict": self.verdict.as_dict()}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What is put to the test.

    Attributes:
        name: for the table.
        command: arguments of the interpreter that start a member.
        summaries: whether it publishes batch summaries.
    """

    name: str
    command: Sequence[str]
    summaries: bool = False


OURS: Final = Pipeline("ours", ("-m", "tests.faults.worker_main"), summaries=True)
REFERENCES: Final = (
    Pipeline("aiokafka", ("-m", "tests.faults.reference_aiokafka")),
    Pipeline("faust", ("-m", "tests.faults.reference_faust")),
)


class Experiment:
    """A running scenario, as its injector sees it.

    Args:
        arena: servers and proxies.
        scenario: what is done.
        seed: of everything that is random.
        pipeline: whom it is done to.
        seconds: the scenario fails, by name, when it is not over by then.
    """

    def __init__(
        self,
        arena: Arena,
        scenario: Scenario,
        seed: int,
        pipeline: Pipeline = OURS,
        seconds: float = SCENARIO_SECONDS,
    ) -> None:
        self.arena = arena
        self.scenario = scenario
        self.random = random.Random(f"{seed}/{scenario.name}")
        name = "".join(c if c.isalnum() else "-" for c in scenario.name)
        self.topics = TopicNames(f"f{self.random.randrange(10**6)}-{pipeline.name}-{name}")
        self.folder = arena.folder / self.topics.prefix
        self.result = Result(scenario.name, pipeline.name, seed)
        self.fleet = Fleet([str(arena.model)], self._environment(), self.folder, pipeline.command)
        workload = Workload(self.topics.prefix, seed, scenario.mix)
        self.load = Load(arena.direct, self.topics.incoming, workload, scenario.rate)
        self._former: list[Input] = []
        self._pipeline = pipeline
        self._seconds = seconds
        self._progress = Progress(arena.direct, self.group, self.topics.incoming)

    @property
    def group(self) -> str:
        """The pipeline's consumer group."""
        return f"{self.topics.prefix}-group"

    def happening(self, phases: Sequence[str]) -> Sequence[str]:
        """Return those of these phases that members come through.

        Ours name no partitions where transactions are joined by writing; brokers of the arenas have that.
        """
        named = self.scenario.environment.get("REVIEWS_WORKER__TRANSACTION_VERSION") == "1"
        if named or self._pipeline is not OURS:
            return phases
        return [phase for phase in phases if phase.partition(":")[2] not in _NAMING]

    async def committed(self) -> dict[int, int]:
        """Return the group's committed offset by input partition; empty while no broker answers."""
        return await self._progress.committed()

    async def recreate_incoming(self, *, unseen: bool = False) -> None:
        """Wait until all that was sent is decided; then delete the incoming topic and make it anew.

        Args:
            unseen: whether the workers are frozen before; whoever asks lets them go on.

        Raises:
            TimeoutError: it was not decided.
        """
        await self.load.finish()
        if not await self._reached(self.load.ends):
            raise TimeoutError("what was sent before the topic was deleted was not decided")
        self._former += await self._inputs()
        if unseen:
            for member in self.fleet.members:
                member.signal(signal.SIGSTOP)
        await self.arena.recreate(self.topics)
        self.load.ends.clear()
        await self.load.start()

    async def run(self, repeats: int, on_injection: Callable[[Injection], None]) -> Result:
        """Run the scenario; what goes wrong in it is part of the result."""
        started = time.monotonic()
        self.folder.mkdir(parents=True)
        await self.arena.empty_cache()
        await self.arena.create_topics(self.topics)
        deadline = asyncio.timeout(self._seconds)
        try:
            async with deadline:
                await self._run(repeats, on_injection)
        except Exception as error:  # noqa: BLE001 - one scenario must not end the suite
            self.result.error = f"{type(error).__name__}: {error}"
            if deadline.expired():
                done = len(self.result.injections)
                self.result.error = (
                    f"not over after {self._seconds:.0f} s, with {done} of {repeats} faults "
                    f"recovered from; logs: {self.folder}"
                )
        finally:
            await self.fleet.destroy()
            await self._progress.close()
            with contextlib.suppress(Exception):
                await self.arena.delete_topics(self.topics)
        self.result.seconds = time.monotonic() - started
        return self.result

    async def _run(self, repeats: int, on_injection: Callable[[Injection], None]) -> None:
        await self.fleet.scale(self.scenario.workers)
        async with self.load:
            await self._inject_all(repeats, on_injection)
        await self._settle()
        self.result.verdict = await self._check()

    async def _inject_all(self, repeats: int, on_injection: Callable[[Injection], None]) -> None:
        await self.load.more(self.scenario.rate)
        self.result.memory_start = self.fleet.memory()
        for _ in range(repeats):
            await self.load.more(int(self.scenario.rate * self.random.uniform(0.3, 1.5)))
            injection = await self._inject()
            self.result.injections.append(injection)
            on_injection(injection)
            await self.fleet.scale(self.scenario.workers)
        self.result.memory_end = self.fleet.memory()

    async def _inject(self) -> Injection:
        what = await self.scenario.inject(self)
        return Injection(what, await self._recovery())

    async def _recovery(self) -> float | None:
        """Return the seconds until the pipeline has committed what came after the fault."""
        healed = time.monotonic()
        try:
            # Enough that every partition gets some: a pipeline that sleeps would not show else.
            await self.load.more(max(self.load.rate // 4, 50), RECOVERY_SECONDS)
        except TimeoutError:
            return None
        reached = await self._reached(dict(self.load.ends))
        return time.monotonic() - healed if reached else None

    async def _reached(self, target: Mapping[int, int]) -> bool:
        """Wait for these committed offsets; the dead are replaced meanwhile, after a while."""
        over = asyncio.Event()
        replacing = asyncio.create_task(self._replace_the_dead(over))
        try:
            return await self._progress.reached(target, RECOVERY_SECONDS) is not None
        finally:
            over.set()
            await replacing

    async def _replace_the_dead(self, over: asyncio.Event) -> None:
        """Do as an orchestrator would."""
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.random.uniform(0, SESSION_SECONDS)):
                    await over.wait()
            await self.fleet.scale(self.scenario.workers)

    async def _settle(self) -> None:
        await self.fleet.scale(self.scenario.workers)
        self.result.caught_up = await self._reached(self.load.ends)
        await self.fleet.stop()
        self.result.accidents = self.fleet.accidents
        outputs = (*self.topics.outputs(), self.topics.batches)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            self.result.open_transactions = await open_transactions(self.arena.direct, outputs)
            if not self.result.open_transactions:
                break
            await asyncio.sleep(1.0)

    async def _check(self) -> Verdict:
        servers, topics = self.arena.direct, self.topics
        records = await read_to_end(servers, topics.outputs())
        summaries = None
        if self._pipeline.summaries:
            summaries = summed_up(await read_to_end(servers, [topics.batches]))
        return check(
            self.load.acknowledged,
            [*self._former, *await self._inputs()],
            [outcome(record, topics) for record in records],
            summaries,
        )

    async def _inputs(self) -> list[Input]:
        return inputs(await read_to_end(self.arena.direct, [self.topics.incoming]))

    def _environment(self) -> dict[str, str]:
        servers = self.arena.proxied if self.scenario.proxied else self.arena.direct
        return {
            "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": servers,
            "REVIEWS_TOPICS__PREFIX": self.topics.prefix,
            "REVIEWS_WORKER__GROUP": self.group,
            "REVIEWS_CACHE__URL": self.arena.redis_proxy.url,
            "REVIEWS_SCHEMA_REGISTRY__URL": self.arena.registry.url,
            "REVIEWS_SCHEMA_REGISTRY__TIMEOUT": "1",
            "REVIEWS_HTTP__PORT": "0",
            "REVIEWS_LOG__FORMAT": "json",
            # Announced models are served from here alone.
            "REVIEWS_LEARNING__REGISTRY": str(self.folder.resolve()),
            **TIMEOUTS,
            **self.scenario.environment,
        }
