"""A TCP proxy in front of one broker that can fail at a named step of Kafka's protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Self

from tests.faults.wire import Api, read_frame, reply_correlation, request_header

# After a client has gone, what it had sent still reaches the broker; then the connection ends.
_LINGER: Final = 2.0


class Action(Enum):
    """What happens to a matching request."""

    CUT = auto()
    """The connection breaks; the broker never sees the request."""
    LOSE_REPLY = auto()
    """The broker acts on it; the connection breaks before the answer arrives."""
    DELAY_REQUEST = auto()
    """The broker sees it late, even if the client has given up meanwhile."""
    DELAY_REPLY = auto()
    """The answer comes late, and so does every later one on that connection."""


@dataclass(slots=True, eq=False)
class Rule:
    """A fault that waits for its request.

    Args:
        api: which request.
        action: what happens to it.
        seconds: of a delay.
        times: how many requests it strikes.
    """

    api: Api
    action: Action
    seconds: float = 0.0
    times: int = 1
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has struck for the last time."""
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the broker was sent a request that had been delayed."""

    def strike(self) -> None:
        """Count a hit."""
        self.times -= 1
        if self.times == 0:
            self.struck.set()


class KafkaProxy:
    """Passes bytes between clients and one broker until told otherwise. Use as ``async with``.

    Args:
        port: where clients connect; the broker must advertise it.
        broker_port: where the broker listens.
    """

    def __init__(self, port: int, broker_port: int) -> None:
        self.port = port
        self.broker_port = broker_port
        self._rules: list[Rule] = []
        self._links: set[_Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self.rewrite: Callable[[bytes], bytes] = bytes
        """What is made of every reply on its way; it must not change its length."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.heal()
        self._break_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, rule: Rule) -> None:
        """Arm a fault."""
        self._rules.append(rule)

    def remove(self, rules: Iterable[Rule]) -> None:
        """Disarm faults that may not have struck."""
        for rule in rules:
            with contextlib.suppress(ValueError):
                self._rules.remove(rule)

    def sever(self) -> None:
        """Break all connections and every new one, as a pulled cable with resets would."""
        self._refusing = True
        self._break_all()

    def freeze(self) -> None:
        """Let nothing through, and say nothing: packets fall into a hole."""
        self._flowing.clear()

    def heal(self) -> None:
        """Pass everything again."""
        self._refusing = False
        self._flowing.set()

    async def flowing(self) -> None:
        """Wait while frozen."""
        await self._flowing.wait()

    def match(self, api_key: int) -> Rule | None:
        """Return the armed fault for a request, and count the hit."""
        for rule in self._rules:
            if rule.api == api_key and rule.times > 0:
                rule.strike()
                return rule
        return None

    def _break_all(self) -> None:
        for link in tuple(self._links):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._refusing:
                return
            upstream = await asyncio.open_connection("127.0.0.1", self.broker_port)
            link = _Link(self, (reader, writer), upstream)
            self._links.add(link)
            try:
                await link.run()
            finally:
                self._links.discard(link)
                link.abort()
        except (OSError, asyncio.CancelledError):
            pass  # the broker is down, or we are closing: the client sees a closed connection
        finally:
            writer.transport.abort()


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One client's connection, and the one to the broker that belongs to it."""

    def __init__(self, proxy: KafkaProxy, client: _Ends, broker: _Ends) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_broker, self._to_broker = broker
        self._awaited: dict[int, Rule] = {}
        """Faults that strike when the reply with this correlation id comes."""

    async def run(self) -> None:
        replies = asyncio.create_task(self._pass_replies())
        try:
            await self._pass_requests()
            await asyncio.wait([replies], timeout=_LINGER)
        finally:
            replies.cancel()
            await asyncio.gather(replies, return_exceptions=True)

    def abort(self) -> None:
        self._to_client.transport.abort()
        self._to_broker.transport.abort()

    async def _pass_requests(self) -> None:
        while (frame := await read_frame(self._from_client)) is not None:
            header = request_header(frame)
            rule = self._proxy.match(header.api_key)
            if rule is not None:
                if rule.action is Action.CUT:
                    return self.abort()
                if rule.action is Action.DELAY_REQUEST:
                    await asyncio.sleep(rule.seconds)
                else:
                    self._awaited[header.correlation_id] = rule
            await self._proxy.flowing()
            sent = await _send(self._to_broker, frame)
            if rule is not None:
                rule.passed.set()
            if not sent:
                return None
        return None

    async def _pass_replies(self) -> None:
        while (frame := await read_frame(self._from_broker)) is not None:
            rule = self._awaited.pop(reply_correlation(frame), None)
            if rule is not None:
                if rule.action is Action.LOSE_REPLY:
                    break
                await asyncio.sleep(rule.seconds)
            await self._proxy.flowing()
            # A client that has gone misses the reply; the broker is still listened to.
            await _send(self._to_client, self._proxy.rewrite(frame))
        self.abort()


async def _send(writer: asyncio.StreamWriter, frame: bytes) -> bool:
    try:
        writer.write(frame)
        await writer.drain()
    except ConnectionError:
        return False
    return True
