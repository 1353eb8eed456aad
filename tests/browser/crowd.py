"""``python -m tests.browser.crowd``: people at the queue at once, each in a browser of their own.

They read, press keys, skip, take back, reload in the middle of saving, go away and come Back. The first
of them works in two tabs at once; the second loses the network for a while and goes on. What they did is
written down here, and held against what stands on Kafka and against the counters at the end.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from playwright.async_api import Browser, Page
from playwright.async_api import TimeoutError as BrowserTimeout
from rich.console import Console
from rich.table import Table

from deploy.local import LocalStack
from schemas import Judgement, Label, RelabelTask, TopicNames, all_categories, decode, highest
from stream.queue.accounts import Accounts
from stream.settings import Settings
from tests.faults import report
from tests.faults.reading import read_to_end
from tests.support.chromium import launched, opened
from tests.support.desk_window import shown, sign_in, until_keys_are_heard
from tests.support.pipeline import create_topics
from tests.support.queue import (
    add_people,
    queue_settings,
    running_queue,
    send_tasks,
    task,
    until_ready,
)

# Between two keys; a practised person takes about two seconds for a short review.
_THINKS: Final = (0.5, 3.0)
# A key that shows nothing for so long is stuck, however busy the machine is.
_STUCK_MS: Final = 60_000
_OFFLINE_SECONDS: Final = 120.0
# More than a person decides, so that the queue does not run dry.
_REVIEWS_A_SECOND: Final = 0.6
# Waits for all of them to be filed before anybody comes. It only bounds a failure.
_PATIENCE: Final = 10
_WORD_CHARS: Final = "абвгдеклмнопрстуя"
_CANNOT_TELL: Final = "?"
# Of everybody, also where a busy machine leaves them little time.
_LEAST_DECISIONS: Final = 3
_ACTS: Final = {
    "decide": 78, "cannot tell": 2, "skip": 5, "undo": 5, "reload": 2, "reload at once": 2,
    "back": 4, "search": 2,
}  # fmt: skip

Decision = tuple[str, str, str]
"""Who, which review, which category's slug; empty: cannot tell."""


@dataclass(frozen=True)
class Told:
    """A refusal that a page showed to its person."""

    who: str
    review: str
    """Empty: of nothing that was decided."""
    text: str


@dataclass
class Diary:
    """What people did, and what their pages told them."""

    decided: Counter[Decision] = field(default_factory=Counter)
    undone: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    told: list[Told] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    """Keys after which nothing happened."""
    unsaved: list[str] = field(default_factory=list)
    """What still waited in a browser at the end."""
    faults: list[str] = field(default_factory=list)
    """Errors of scripts."""


@dataclass
class Verdict:
    """What the run came to. All lists are empty where the queue keeps its promises."""

    judgements: int
    decided_twice: list[str]
    """Reviews with two first decisions that stand, or two labels of one revision."""
    lost: list[Decision]
    """Decisions whose page went on, that stand nowhere, and of which nobody was told."""
    unexpected: list[Decision]
    """Decisions on Kafka that nobody made."""
    counters: list[str]
    """Figures that differ from the topics."""
    undone: int
    diary: Diary

    @property
    def faults(self) -> dict[str, list[Any]]:
        """Return everything that must not be, by name."""
        diary = self.diary
        return {
            "decided twice": self.decided_twice,
            "lost": self.lost,
            "never made": self.unexpected,
            "stuck": diary.stuck,
            "not saved at the end": diary.unsaved,
            "counters": self.counters,
            "script errors": diary.faults,
        }


class Person:
    """Somebody at one tab."""

    def __init__(self, name: str, page: Page, diary: Diary, dice: random.Random) -> None:
        self.name = name
        self.page = page
        self._diary = diary
        self._dice = dice
        self._decisions = 0
        self.offline = False

    async def work(self, until: float) -> None:
        """Work until a moment of the loop's clock, and long enough to have decided something."""
        loop = asyncio.get_running_loop()
        while loop.time() < until or self._decisions < _LEAST_DECISIONS:
            await asyncio.sleep(self._dice.uniform(*_THINKS))
            (act,) = self._dice.choices(list(_ACTS), weights=list(_ACTS.values()))
            if self.offline and act not in {"decide", "cannot tell"}:
                act = "decide"
            try:
                await self._do(act)
            except BrowserTimeout:
                if not self.offline:
                    self._diary.stuck.append(f"{self.name}: {act}, {await self._state()}")
                    await self._begin_again()

    async def finish(self) -> None:
        """Wait until the browser has nothing left to save, offering what it asks about."""
        await self._begin_again()
        left = self.page.locator("#left button").first
        try:
            async with asyncio.timeout(_STUCK_MS / 1000):
                while await self._unsaved():
                    if await left.is_visible():
                        await left.click()
                    await asyncio.sleep(0.2)
        except TimeoutError:
            self._diary.unsaved.append(f"{self.name}: {await self._state()}")
        await self._hear()
        if await self.page.locator("#card-place").get_attribute("aria-busy") == "true":
            self._diary.stuck.append(f"{self.name}: busy at the end")

    async def _do(self, act: str) -> None:
        self._diary.acts[act] += 1
        match act:
            case "decide":
                await self._decide(str(self._dice.randint(1, 9)))
            case "cannot tell":
                await self._decide(_CANNOT_TELL)
            case "skip":
                await self._leave("s")
            case "undo":
                await self._undo()
            case "reload":
                await self.page.reload()
                await until_keys_are_heard(self.page)
            case "reload at once":
                await self._decide(str(self._dice.randint(1, 9)), reload=True)
            case "back":
                await self.page.goto("/history")
                await self.page.go_back()
                await until_keys_are_heard(self.page)
            case "search":
                await self.page.goto("/search")
                await self.page.locator(".texts a").first.click()
                await until_keys_are_heard(self.page)

    async def _decide(self, key: str, *, reload: bool = False) -> None:
        if not (review := await shown(self.page)):
            return
        category = "" if key == _CANNOT_TELL else all_categories()[int(key) - 1].slug
        if reload:
            await self.page.keyboard.press(key)
        elif not await self._leave(key):
            return
        self._diary.decided[self.name, review, category] += 1
        self._decisions += 1
        if reload:
            await self.page.reload()
            await until_keys_are_heard(self.page)

    async def _leave(self, key: str) -> bool:
        """Press a key that leads on; return whether it did."""
        if not (review := await shown(self.page)):
            return False
        await self.page.keyboard.press(key)
        # Without a network there is a notice instead of the next review.
        await self.page.wait_for_function(
            "id => document.getElementById('card').dataset.id !== id", arg=review, timeout=_STUCK_MS
        )
        await self._hear()
        return True

    async def _undo(self) -> None:
        button = self.page.locator('[data-key="u"]')
        if not await button.count() or await button.is_disabled():
            return
        said = self.page.locator("#status")
        await self.page.evaluate("() => { document.getElementById('status').textContent = ''; }")
        await self.page.keyboard.press("u")
        await self.page.wait_for_function(
            "() => document.getElementById('status').textContent"
            " || !document.getElementById('message').hidden",
            timeout=_STUCK_MS,
        )
        if await said.text_content():
            self._diary.undone += 1
        await self._hear()

    async def _hear(self) -> None:
        """Read what the page says went wrong, and put it away."""
        line = self.page.locator("#message p").first
        while await line.is_visible():
            review = await line.get_attribute("data-review") or ""
            self._diary.told.append(Told(self.name, review, await line.inner_text()))
            await line.locator("button").click()

    async def _unsaved(self) -> list[str]:
        found: list[str] = await self.page.evaluate(
            "() => Object.keys(localStorage).filter(key => key.startsWith('queue_unsaved'))"
        )
        return found

    async def _begin_again(self) -> None:
        await self.page.goto("/")
        await until_keys_are_heard(self.page)

    async def _state(self) -> str:
        text = await self.page.evaluate("() => document.querySelector('main')?.innerText ?? ''")
        return f"{self.page.url} shows {text[:80]!r}, unsaved {await self._unsaved()}"


async def crowd(
    stack: LocalStack, prefix: str, folder: Path, *, people: int, seconds: float, seed: int
) -> Verdict:
    """Let people work at a queue of its own, and judge what became of their work.

    Args:
        stack: Kafka and Redis.
        prefix: of topics that nobody else uses.
        folder: for the accounts.
        people: how many; at least two.
        seconds: how long they work.
        seed: of what they do.
    """
    dice = random.Random(seed)
    topics = TopicNames(prefix)
    await create_topics(stack.bootstrap_servers, topics)
    settings = queue_settings(
        stack.bootstrap_servers, prefix, stack.redis_url, folder,
        blind_share=0.15, second_share=0.1, random_share=0.1,
    )  # fmt: skip
    names = [f"person{number:02}" for number in range(1, people + 1)]
    add_people(settings, *names)
    tasks = list(_tasks(round(people * seconds * _REVIEWS_A_SECOND), dice))
    await send_tasks(settings, tasks)
    diary = Diary()
    async with running_queue(settings, ready=False) as queue, launched() as browser:
        await _until_filed(queue.url)
        await _work(browser, queue.url, names, seconds, diary, dice)
        # What is filed of the last decisions comes back from Kafka a moment later.
        return await _judge(settings, queue.url, tasks, names, diary)


async def _until_filed(url: str) -> None:
    for _ in range(_PATIENCE):
        with suppress(TimeoutError):
            return await until_ready(url)
    raise TimeoutError("the queue is not ready")


async def _work(
    browser: Browser,
    url: str,
    names: list[str],
    seconds: float,
    diary: Diary,
    dice: random.Random,
) -> None:
    async with AsyncExitStack() as stack:
        crew: list[Person] = []
        for number, name in enumerate(names):
            window = await stack.enter_async_context(opened(browser, base_url=url))
            await sign_in(window, url, name)
            crew.append(Person(name, window, diary, _own(dice)))
            if number == 0:
                second = await window.context.new_page()
                await second.goto("/")
                await until_keys_are_heard(second)
                crew.append(Person(name, second, diary, _own(dice)))
        until = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            for person in crew:
                group.create_task(person.work(until))
            # The second person; the first one's two tabs stand before.
            group.create_task(_lose_network(crew[2], min(_OFFLINE_SECONDS, seconds / 5)))
        for person in crew:
            await person.finish()
        diary.faults += [
            f"{person.name}: {fault}"
            for person in crew
            for fault in getattr(person.page, "faults", [])
            # What a browser says of a request that failed without a network, or was refused.
            if "Failed to load resource" not in fault
        ]


async def _lose_network(person: Person, seconds: float) -> None:
    await asyncio.sleep(seconds)
    person.offline = True
    await person.page.context.set_offline(True)
    await asyncio.sleep(seconds)
    await person.page.context.set_offline(False)
    person.offline = False


def _own(dice: random.Random) -> random.Random:
    return random.Random(dice.random())


def _tasks(count: int, dice: random.Random) -> Iterator[RelabelTask]:
    """Yield reviews that are unlike each other: near-identical ones would be folded."""
    for number in range(count):
        words = ("".join(dice.choices(_WORD_CHARS, k=6)) for _ in range(8))
        yield task(number, f"{' '.join(words)} {number}", best_share=dice.uniform(0.2, 0.7))


async def _judge(
    settings: Settings, url: str, tasks: list[RelabelTask], names: list[str], diary: Diary
) -> Verdict:
    topics = settings.topic_names
    servers = settings.kafka.bootstrap_servers
    judgements: list[Judgement] = []
    labels: list[Label] = []
    for record in await read_to_end(servers, [topics.judgements, topics.labels]):
        if record.topic == topics.judgements:
            judgements.append(decode(Judgement, record.value))
        else:
            labels.append(decode(Label, record.value))
    made = Counter(
        (j.labeller, j.review_id, j.category.slug if j.category else "")
        for j in judgements
        if not j.undone
    )
    undone = sum(j.undone for j in judgements)
    refused = {(told.who, told.review) for told in diary.told}
    # Who decides a review again, in another window or after a reload, says one thing: the last.
    answered = {(who, review) for who, review, _ in made}
    return Verdict(
        judgements=len(judgements),
        decided_twice=_twice(judgements, labels),
        lost=[found for found in diary.decided if found[:2] not in answered | refused],
        unexpected=[found for found in made if found not in diary.decided],
        counters=await _differences(settings, url, tasks, names, judgements, labels),
        undone=undone,
        diary=diary,
    )


def _twice(judgements: list[Judgement], labels: list[Label]) -> list[str]:
    standing: Counter[str] = Counter()
    for judgement in judgements:
        if judgement.role == "first":
            standing[judgement.review_id] += -1 if judgement.undone else 1
    revisions = Counter((label.review_id, label.revision) for label in labels)
    twice = [
        f"{review}: {count} first decisions" for review, count in standing.items() if count > 1
    ]
    return twice + [
        f"{review}: {count} labels of revision {revision}"
        for (review, revision), count in revisions.items()
        if count > 1
    ]


async def _differences(
    settings: Settings,
    url: str,
    tasks: list[RelabelTask],
    names: list[str],
    judgements: list[Judgement],
    labels: list[Label],
) -> list[str]:
    """Hold what pages show above each review against the topics."""
    total: Counter[str] = Counter()
    for judgement in judgements:
        total[judgement.labeller] += -1 if judgement.undone else 1
    waiting = len(tasks) - sum(not label.withdrawn for label in highest(labels).values())
    accounts, found = Accounts(settings.queue.accounts), []
    for name in names:
        token = {"Authorization": f"Bearer {accounts.issue_token(name)}"}
        async with httpx.AsyncClient(base_url=url, headers=token, timeout=60) as client:
            shown = (await client.get("/api/v1/progress")).json()
        if (shown["total"], shown["waiting"]) != (total[name], waiting):
            found.append(f"{name}: {shown}; on Kafka {total[name]} decided, {waiting} waiting")
    return found


def shown_table(verdict: Verdict, title: str) -> Table:
    """Return a run's figures as a table."""
    table = Table(title=title)
    table.add_column("what")
    table.add_column("count", justify="right")
    diary = verdict.diary
    for act, count in diary.acts.most_common():
        table.add_row(act, f"{count:,}")
    table.add_row("decisions made", f"{diary.decided.total():,}")
    table.add_row("judgements on Kafka", f"{verdict.judgements:,}")
    table.add_row("taken back: said, on Kafka", f"{diary.undone:,}, {verdict.undone:,}")
    table.add_row("refusals that a page told of", f"{len(diary.told):,}")
    for name, faults in verdict.faults.items():
        table.add_row(name, f"{len(faults):,}", style="bold")
    return table


def main(
    people: Annotated[int, typer.Option(help="How many.", min=2)] = 15,
    seconds: Annotated[float, typer.Option(help="How long they work.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Of what they do; 0: a new one.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("build/crowd.json"),
) -> None:
    """Let people work at the queue at once, and count what went wrong."""
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder) / "stack") as stack:
        verdict = asyncio.run(
            crowd(stack, "crowd", Path(folder), people=people, seconds=seconds, seed=seed)
        )
    took = time.monotonic() - started
    title = f"{people} people, {seconds:.0f} s (with start and end {took:.0f} s), seed {seed}"
    Console().print(shown_table(verdict, title))
    report.write(
        out,
        {
            "people": people,
            "seconds": seconds,
            "seed": seed,
            "acts": verdict.diary.acts,
            "decisions": verdict.diary.decided.total(),
            "judgements": verdict.judgements,
            "undone": verdict.undone,
            "told": [f"{told.who}: {told.text}" for told in verdict.diary.told],
            "faults": verdict.faults,
        },
    )
    if any(verdict.faults.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
