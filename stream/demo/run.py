"""The demo: publish reviews, let a real worker sort them, watch, and check that nothing is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from schemas import Review, SourcePosition
from stream.clients import ReviewProducer, TopicReader
from stream.demo.outcomes import EventOutcome, OutcomeCheck, OutcomeParser, OutcomeTally, compare
from stream.demo.screen import Screen
from stream.demo.worker_process import WorkerProcess
from stream.errors import ReviewsError
from stream.kafka.stopping import cancelled_surely
from stream.kafka.topic_creation import create_topics
from stream.settings import Settings

# No outcome for so long, though some are due: something is broken, and waiting will not mend it.
_STALLED_SECONDS: Final = 60.0
_WATCH_SECONDS: Final = 0.25


@dataclass(slots=True)
class DemoReport:
    """What a demo run did."""

    published: int = 0
    seconds: float = 0.0
    """From the first review published to the last outcome read back."""
    tally: OutcomeTally = field(default_factory=OutcomeTally)
    verdict: OutcomeCheck | None = None


class Demo:
    """One run of the demo against a broker that is already there.

    Args:
        settings: connection, and a prefix and a group of the run's own.
        folder: where the worker's log and the results go.
        console: where progress is shown.
    """

    def __init__(self, settings: Settings, folder: Path, console: Console) -> None:
        self._settings = settings
        self._console = console
        self.results = folder / "results.jsonl"
        self.worker_log = folder / "worker.log"
        self._report = DemoReport()
        self._publishing = True
        self._batched = 0
        self._changed_at = time.monotonic()

    async def run(self, reviews: Iterable[Review]) -> DemoReport:
        """Send every review through and check the outcomes.

        Raises:
            ReviewsError: a part cannot be started, failed, or no outcome comes any more.
        """
        await create_topics(self._settings)
        self._console.print("starting a worker …", style="dim")
        async with WorkerProcess(worker_environment(self._settings), self.worker_log) as worker:
            self._console.print(f"worker is ready, metrics on {worker.metrics_url}", style="dim")
            with self.results.open("w", encoding="utf-8") as results:
                await self._send_and_watch(reviews, worker, results)
        self._report.verdict = await self._verify()
        return self._report

    async def _send_and_watch(
        self, reviews: Iterable[Review], worker: WorkerProcess, results: TextIO
    ) -> None:
        with Screen(self._console, self._report.tally) as screen:
            try:
                async with asyncio.TaskGroup() as tasks:
                    watchdog = tasks.create_task(self._watch_over(worker, screen))
                    tasks.create_task(self._publish(reviews, screen))
                    # Else Ctrl-C may get lost in the reader, and the demo go on to its end.
                    await cancelled_surely(self._watch(screen, results))
                    watchdog.cancel()
            except* ReviewsError as errors:
                raise errors.exceptions[0] from None
            self._report.seconds = screen.seconds

    async def _publish(self, reviews: Iterable[Review], screen: Screen) -> None:
        async with ReviewProducer(self._settings, source="/reviews-demo") as producer:
            self._report.published = await producer.send_many(reviews)
        screen.expected = self._report.published
        self._publishing = False

    async def _watch(self, screen: Screen, results: TextIO) -> None:
        names = self._settings.topic_names
        topics = [*names.outputs(), names.batches]
        async with TopicReader(topics, OutcomeParser(names), settings=self._settings) as events:
            async for event in events:
                self._changed_at = time.monotonic()
                self._report.tally.add(event)
                if isinstance(event, EventOutcome):
                    results.write(_result_line(event))
                else:
                    self._batched += event.reviews
                screen.update()
                if self._complete:
                    return

    @property
    def _complete(self) -> bool:
        published = self._report.published
        return (
            not self._publishing
            and self._report.tally.total >= published
            and self._batched >= published
        )

    async def _watch_over(self, worker: WorkerProcess, screen: Screen) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            worker.check_alive()
            screen.update()
            if time.monotonic() - self._changed_at > _STALLED_SECONDS:
                raise ReviewsError(
                    f"no outcome for {_STALLED_SECONDS:.0f} s", f"read {self.worker_log}"
                )

    async def _verify(self) -> OutcomeCheck:
        names = self._settings.topic_names
        settings = self._settings
        inputs: set[SourcePosition] = set()
        async with TopicReader(
            [names.incoming],
            lambda r: SourcePosition(topic=r.topic, partition=r.partition, offset=r.offset),
            settings=settings,
            follow=False,
        ) as positions:
            async for position in positions:
                inputs.add(position)
        outcomes: Counter[SourcePosition] = Counter()
        parse = OutcomeParser(names)
        async with TopicReader(names.outputs(), parse, settings=settings, follow=False) as events:
            async for event in events:
                if isinstance(event, EventOutcome):
                    outcomes[event.source] += 1
        return compare(inputs, outcomes)


def worker_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make a worker join this demo's run."""
    url = settings.cache.url.get_secret_value() if settings.cache.url else ""
    return {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "REVIEWS_TOPICS__PREFIX": settings.topics.prefix,
        "REVIEWS_TOPICS__INCOMING": settings.topics.incoming,
        "REVIEWS_WORKER__GROUP": settings.worker.group,
        "REVIEWS_CACHE__URL": url,
        "REVIEWS_CACHE__TIMEOUT": str(settings.cache.timeout),
    }


def _result_line(outcome: EventOutcome) -> str:
    fields = {
        "review_id": outcome.review_id,
        "category": outcome.category,
        "confidence": outcome.confidence,
        "route": outcome.route,
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"
