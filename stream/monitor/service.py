"""The running monitor: Faust, a look at the broker, alerts, windows, the page."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from schemas import GuardDecision
from stream.errors import BrokerError, ReviewsError
from stream.guard.holds import Holds
from stream.guard.sealing import DecisionSeal, warn_if_anybody_decides
from stream.guard.topic import publish
from stream.kafka.topic_creation import create_compacted
from stream.kafka.topics import await_leaders, partitions_of, require_all_topics
from stream.model.signing import trusted_keys
from stream.monitor.bounded import Stopped, Until, first_of
from stream.monitor.engine import Engine
from stream.monitor.faust_app import MonitorApp, read_topics
from stream.monitor.faust_run import FaustRun, RunCancelled
from stream.monitor.lost_decisions import keep_decisions
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.progress import StandsStill, stands_still
from stream.monitor.standing import LagProbe
from stream.monitor.web import MonitorServer
from stream.settings import Settings

_TICK_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 5.0
# Positions are committed every second; a group may take ten to notice that a member has gone.
_STANDSTILL_SECONDS: Final = 45.0

_log = structlog.get_logger(__name__)


class Monitor:
    """One monitor of one pipeline. :meth:`run` it once.

    Args:
        settings: all options.
        on_link: called with a link that opens the page once: when the page is there, and again
            whenever a link was used. Not called where a token opens it.
    """

    def __init__(self, settings: Settings, on_link: Callable[[str], None] = lambda _: None) -> None:
        self._settings = settings
        self._on_link = on_link
        self.engine = Engine(
            settings.monitor,
            settings.model.folder,
            registry=settings.learning.registry,
            trusted=trusted_keys(settings.model),
            guard=settings.guard,
            holds=Holds(DecisionSeal(settings.guard, settings.topics.prefix)),
        )
        self.app: MonitorApp | None = None
        registry = MonitorMetrics(self.engine).registry
        self.server = MonitorServer(
            settings.monitor, self.engine, registry, self._checks, on_link_used=on_link
        )

    @property
    def ready(self) -> bool:
        """Whether the state has been read back and summaries are taken in."""
        return self.app is not None and self.app.ready

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set; then end within 15 seconds, whatever state it is in.

        Raises:
            BrokerError: no broker answers, or it refuses us.
            PortTaken: the page's port is in use.
            TopicMissing: the pipeline has no topics yet.
        """
        until = Until(stop)
        warn_if_anybody_decides(self._settings.guard)
        with contextlib.suppress(Stopped):
            # None is made here: of a misspelled prefix, or with this machine's replication, it would
            # be a pipeline that nobody wanted.
            await until.stopped_or(require_all_topics(self._settings))
            async with self.server:
                if self._settings.monitor.token is None:
                    self._on_link(self.server.new_link())
                name = self._settings.monitor.name
                _log.info("monitor_started", port=self.server.port, name=name)
                with TemporaryDirectory(prefix="reviews-monitor-") as folder:
                    await self._watch(until, Path(folder))
        _log.info("monitor_stopped")

    def _checks(self) -> dict[str, bool]:
        return {"state restored": self.ready, "broker answers": self.engine.broker.lag is not None}

    async def _watch(self, until: Until, folder: Path) -> None:
        settings = self._settings
        partitions = await until.stopped_or(
            partitions_of(settings.kafka, *read_topics(settings.topic_names))
        )
        counted = Counter(tp.topic for tp in partitions)
        while True:
            self.app = MonitorApp(settings, self.engine, counted, folder)
            # Before Faust looks: it takes a changelog that it has just asked for itself, and that the
            # broker does not show yet, for one without partitions, and gives up.
            changelogs = self.app.changelogs()
            await until.stopped_or(create_compacted(settings, changelogs))
            await until.stopped_or(await_leaders(settings.kafka, [*counted, *changelogs]))
            async with FaustRun(self.app.faust) as run:
                try:
                    await until.stopped_or(
                        first_of(
                            self._tick_forever(),
                            self._probe_forever(),
                            self._keep_decisions(),
                            stands_still(
                                settings.kafka,
                                self.app.faust.conf.id,
                                partitions,
                                _STANDSTILL_SECONDS,
                                self.app.read_back,
                            ),
                            run.wait(),
                        )
                    )
                except StandsStill as still:
                    _log.warning("monitor_stands_still", position=str(still))
                    continue  # with a new application: the state is on Kafka
                except RunCancelled:
                    _log.warning("monitor_run_cancelled")
                    continue
                raise BrokerError(
                    f"the monitor lost its connection: {self.app.faust.crash_reason!r}",
                    "start it again; its state is on Kafka",
                )

    async def _tick_forever(self) -> None:
        while True:
            if self.ready:
                await self._tick()
            await asyncio.sleep(_TICK_SECONDS)

    async def _tick(self) -> None:
        assert self.app is not None  # noqa: S101 - run() made it
        self.engine.look()
        await self._hold(self.engine.promises.due())
        if not self._settings.monitor.publish:
            return
        for windows in self.engine.closed_windows():
            await self.app.publish(windows)
        for windows in self.engine.open_windows():
            await self.app.publish(windows)

    async def _hold(self, due: list[GuardDecision]) -> None:
        """Write decisions to hold; they count when they come back from the topic.

        Until then they are due again, with the same numbers: a crash loses none and repeats none. Not
        through Faust, which ends when anything that it sends is refused.
        """
        if not due:
            return
        seal = self.engine.holds.seal
        try:
            await publish(self._settings, [seal.sealed(decision) for decision in due])
        except ReviewsError as error:
            _log.error(
                "guard_decision_not_written",
                categories=[decision.category.slug for decision in due],
                error=error.message,
                advice="it is not held before; `reviews acl monitor` lists the rights that it takes",
            )

    async def _keep_decisions(self) -> None:
        if self._settings.guard.mode != "hold":  # then it writes none
            await asyncio.Event().wait()
        await keep_decisions(self._settings, self.engine.holds, lambda: self.ready)

    async def _probe_forever(self) -> None:
        engine = self.engine
        while True:
            try:
                async with LagProbe(self._settings) as probe:
                    while True:
                        async with asyncio.timeout(_RETRY_SECONDS):
                            lags = await probe.ask()
                        engine.broker.answered(lags, engine.backlog, engine.clock())
                        await asyncio.sleep(_PROBE_SECONDS)
            except (KafkaError, BrokerError, TimeoutError, OSError) as error:
                engine.broker.asked_at = None
                _log.warning("lag_unknown", error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)
