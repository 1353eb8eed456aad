"""The queue's pages on a real Redis without a Kafka: what is decided goes to a list.

For tests of what people see. That decisions reach Kafka is tested where there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from aiokafka import TopicPartition

from schemas import Judgement, Label, RelabelTask
from stream.queue.accounts import Accounts
from stream.queue.acts import Act
from stream.queue.errors import NotSaved
from stream.queue.publisher import Place
from stream.queue.records import TaskRecord, judgement_record, label_record
from stream.queue.redis_scripts import connect
from stream.queue.server import listening, make_site, pages_config
from stream.queue.web.site import Site
from stream.settings import Settings
from stream.web.connections import USUAL, ClientLimits
from tests.support.pipeline import WAIT_SECONDS
from tests.support.queue import add_people, queue_settings

NO_BROKER = "127.0.0.1:9"


@dataclass
class ListPublisher:
    """Takes acts into a list, or refuses them while ``broken``."""

    acts: list[Act] = field(default_factory=list)
    broken: bool = False

    async def publish(self, acts: Sequence[Act]) -> list[Place]:
        if self.broken:
            raise NotSaved("Kafka did not take the decision", "try again")
        places = [
            Place(TopicPartition("judgements", 0), len(self.acts) + i) for i in range(len(acts))
        ]
        self.acts += acts
        return places

    @property
    def labels(self) -> list[Label]:
        return [act.label for act in self.acts if act.label is not None]

    @property
    def judgements(self) -> list[Judgement]:
        return [act.judgement for act in self.acts]


@dataclass
class Pages:
    """Pages that are being served."""

    url: str
    site: Site
    publisher: ListPublisher

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def file(self, tasks: Sequence[RelabelTask]) -> None:
        """Put reviews into the queue, as intake does."""
        records = [record for task in tasks if (record := TaskRecord.of(task)) is not None]
        clusters = await self.site.filing.clusters(records)
        flat = [
            argument
            for record, cluster in zip(records, clusters, strict=True)
            for argument in record.arguments(cluster, self.site.filing.seal)
        ]
        await self._consume("task", flat, len(tasks))

    async def file_labels(self, labels: Sequence[Label]) -> None:
        """Let decisions come from elsewhere."""
        seal = self.site.filing.seal
        await self._consume("label", [label_record(label, seal) for label in labels], len(labels))

    async def file_judgements(self, judgements: Sequence[Judgement], share: float = 0.0) -> None:
        """Let other people's acts come in."""
        records = [
            judgement_record(judgement, "judgements:1", offset, share, self.site.filing.seal)
            for offset, judgement in enumerate(judgements)
        ]
        await self._consume("judgement", records, len(judgements))

    async def _consume(self, kind: Any, records: Sequence[str], count: int) -> None:
        tp = f"{kind}:0"
        position = (await self.site.filing.positions()).get(tp, "")
        await self.site.filing.consume(kind, tp, position, int(position or 0) + count, records)


def pages_settings(redis_url: str, prefix: str, folder: Path, **queue: Any) -> Settings:
    """Return settings of pages without a broker, otherwise those of :func:`queue_settings`."""
    return queue_settings(NO_BROKER, prefix, redis_url, folder, **queue)


@contextlib.asynccontextmanager
async def client_of(pages: Pages, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that sends these headers with everything, and keeps its cookies."""
    async with httpx.AsyncClient(
        base_url=pages.url, headers=headers, timeout=WAIT_SECONDS
    ) as client:
        yield client


@contextlib.asynccontextmanager
async def program(pages: Pages, name: str = "ann") -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that sends a token of an account."""
    token = Accounts(pages.site.queue.accounts).issue_token(name)
    async with client_of(pages, Authorization=f"Bearer {token}") as client:
        yield client


@contextlib.asynccontextmanager
async def served_pages(
    settings: Settings,
    tasks: Sequence[RelabelTask] = (),
    *,
    people: bool = True,
    limits: ClientLimits = USUAL,
) -> AsyncIterator[Pages]:
    """Serve pages until the block ends: to ann, who leads, and to bob, or to nobody yet."""
    if people:
        add_people(settings, "ann", lead=True)
        add_people(settings, "bob")
    redis = connect(settings)
    publisher = ListPublisher()
    site = make_site(settings, redis, publisher)
    listener = listening("127.0.0.1", 0)
    server = uvicorn.Server(pages_config(site, limits))
    pages = Pages(f"http://127.0.0.1:{listener.getsockname()[1]}", site, publisher)
    await pages.file(tasks)
    await site.filing.set_ready()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield pages
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT_SECONDS)
        listener.close()
        await redis.aclose()
