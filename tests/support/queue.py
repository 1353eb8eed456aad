"""A review queue in tests: tasks of our own, a running server, people who sign in."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from schemas import (
    Category,
    RelabelTask,
    Review,
    SourcePosition,
    all_categories,
    category_count,
    encode,
)
from stream.queue.accounts import Accounts
from stream.queue.server import Serving, serve
from stream.settings import Settings
from tests.support.pipeline import PARTITIONS, WAIT_SECONDS, pipeline_settings, send

PASSWORD = "correct horse battery"
TEXTS = (
    "Чайник закипает быстро, но крышка болтается",
    "Сапоги промокли после первого дождя",
    "Платье сидит хорошо, длина ниже колена",
    "Сковорода тяжёлая, зато ничего не пригорает",
    "Полотенце мягкое, после стирки не полиняло",
    "Дочке понравилась кукла, волосы расчёсываются",
    "Ремень ремень как ремень, пряжка поцарапана",
    "Наушники тихие, левый иногда хрипит",
    "Ждала посылку месяц, продавец не отвечает",
    "Взяла в подарок, упаковка помялась в дороге",
    "Цвет как на картинке, размер подошёл",
    "Лампа мигает, пришлось вернуть",
)
QUEUED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def probabilities(best: Category, best_share: float = 0.5) -> dict[Category, float]:
    """Return nine probabilities with one best."""
    rest = (1 - best_share) / (category_count() - 1)
    return {c: best_share if c is best else rest for c in all_categories()}


def task(
    number: int,
    text: str | None = None,
    best: Category | None = None,
    best_share: float = 0.5,
    **fields: Any,
) -> RelabelTask:
    """Return a relabel task; everything follows from its number unless given."""
    return RelabelTask(
        review=Review(review_id=f"r{number}", text=text or TEXTS[number % len(TEXTS)]),
        probabilities=probabilities(
            best or all_categories()[number % category_count()], best_share
        ),
        threshold=0.8,
        model_version="m1",
        queued_at=QUEUED + timedelta(seconds=number),
        source=SourcePosition(topic="in", partition=number % PARTITIONS, offset=number),
        **fields,
    )


def queue_settings(kafka: str, prefix: str, redis_url: str, folder: Path, **queue: Any) -> Settings:
    """Return settings of a queue: any free port, nothing blind and nothing asked twice unless set."""
    base = {
        "port": 0,
        "name": prefix,
        "accounts": folder / "accounts.json",
        "redis_url": redis_url,
        "blind_share": 0.0,
        "second_share": 0.0,
        "random_share": 0.0,
    }
    return pipeline_settings(kafka, prefix, redis_url, queue={**base, **queue})


def add_people(settings: Settings, *names: str, lead: bool = False) -> None:
    """Make accounts."""
    accounts = Accounts(settings.queue.accounts)
    for name in names:
        accounts.add(name, PASSWORD, lead=lead)


async def send_tasks(settings: Settings, tasks: Iterable[RelabelTask]) -> None:
    """Publish tasks as a worker does."""
    messages = [(t.review.review_id.encode(), encode(t)) for t in tasks]
    await send(settings.kafka.bootstrap_servers, settings.topic_names.relabel, messages)


@dataclass
class Queue:
    """A running server."""

    serving: Serving
    stop: asyncio.Event

    @property
    def url(self) -> str:
        return self.serving.url


@contextlib.asynccontextmanager
async def running_queue(settings: Settings, *, ready: bool = True) -> AsyncIterator[Queue]:
    """Serve a queue in this process until the block ends; it is ready when the block begins.

    Args:
        settings: of the queue.
        ready: False: the block begins when the server listens.
    """
    stop = asyncio.Event()
    announced: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, stop, announced.set_result))
    try:
        done, _ = await asyncio.wait(
            {task, announced}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if task in done:
            task.result()
        queue = Queue(announced.result(), stop)
        if ready:
            await until_ready(queue.url)
        yield queue
    finally:
        stop.set()
        await asyncio.wait_for(task, WAIT_SECONDS)


async def until_ready(url: str) -> None:
    """Wait until the working set is whole."""
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(WAIT_SECONDS):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - HTTP has to be asked
            await asyncio.sleep(0.05)


class Reviewer:
    """A person at the page, without a browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        page = await self.client.get("/sign-in")
        fields = {**hidden(page.text), "name": name, "password": password}
        return await self.client.post("/sign-in", data=fields)

    async def card(self, address: str = "/") -> dict[str, str]:
        """Return the hidden fields of the review on the screen; empty where there is none."""
        page = await self.client.get(address)
        fields = hidden(page.text, form="decision")
        return fields if "review_id" in fields else {}

    async def until_card(self, address: str = "/") -> dict[str, str]:
        """Wait for a review."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not (card := await self.card(address)):  # noqa: ASYNC110 - HTTP has to be asked
                await asyncio.sleep(0.1)
        return card

    async def post(self, path: str, fields: dict[str, str], **more: str) -> httpx.Response:
        return await self.client.post(path, data={**fields, **more}, headers={"X-Partial": "1"})

    async def decide(self, fields: dict[str, str], category: Category | None) -> httpx.Response:
        return await self.post("/decide", fields, category=category.slug if category else "")


@contextlib.asynccontextmanager
async def reviewer(queue: Queue, name: str) -> AsyncIterator[Reviewer]:
    """Sign a person in."""
    async with httpx.AsyncClient(base_url=queue.url, timeout=WAIT_SECONDS) as client:
        person = Reviewer(client)
        response = await person.sign_in(name)
        assert response.status_code == 303, response.text
        yield person


def hidden(html: str, form: str | None = None) -> dict[str, str]:
    """Return the hidden fields of a page, or of one form."""
    if form is not None:
        found = re.search(rf'<form id="{form}".*?</form>', html, re.DOTALL)
        html = found.group() if found else ""
    pattern = r'<input type="hidden" name="([^"]*)" value="([^"]*)"'
    return dict(re.findall(pattern, html))


def ids(events: Sequence[Any]) -> list[str]:
    """Return the review ids of events."""
    return [event.review_id for event in events]
