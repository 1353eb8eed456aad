"""A broker that answers what a test tells it to: wrong bytes, wrong words, late, or not at all.

Left alone it is one broker with one topic, which grants every transaction. It keeps no records: a test
reads ``asked``.
"""

from __future__ import annotations

import asyncio
import inspect
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType
from typing import Any, Final, Self

from aiokafka.protocol import admin, commit, coordination, metadata, produce, transaction
from aiokafka.protocol.api import RequestHeader_v1, RequestStruct
from aiokafka.protocol.types import Int16, TaggedFields, UnsignedVarInt32

from stream.kafka import (
    broker_features,
    joining_requests,
    membership,
    offsets,
    open_transactions,
    topic_ids,
    transaction_state,
)
from stream.kafka.flexible import NO_TAGS, STRING, groups

PRODUCE: Final = 0
METADATA: Final = 3
OFFSET_FETCH: Final = 9
FIND_COORDINATOR: Final = 10
API_VERSIONS: Final = 18
INIT_PRODUCER_ID: Final = 22
ADD_PARTITIONS: Final = 24
ADD_OFFSETS: Final = 25
END_TXN: Final = 26
TXN_OFFSET_COMMIT: Final = 28
DESCRIBE_PRODUCERS: Final = 61
DESCRIBE_TRANSACTIONS: Final = 65
LIST_TRANSACTIONS: Final = 66

FIRST_VERSION: Final[Mapping[int, tuple[int, int]]] = {
    PRODUCE: (0, 7),
    METADATA: (0, 5),
    OFFSET_FETCH: (0, 7),
    FIND_COORDINATOR: (0, 1),
    API_VERSIONS: (0, 3),
    INIT_PRODUCER_ID: (0, 0),
    ADD_PARTITIONS: (0, 0),
    ADD_OFFSETS: (0, 0),
    END_TXN: (0, 0),
    TXN_OFFSET_COMMIT: (0, 3),
    DESCRIBE_PRODUCERS: (0, 0),
    DESCRIBE_TRANSACTIONS: (0, 0),
    LIST_TRANSACTIONS: (0, 0),
}
"""Requests of a broker whose transactions name their partitions."""
SECOND_VERSION: Final[Mapping[int, tuple[int, int]]] = {
    **FIRST_VERSION,
    PRODUCE: (0, 12),
    END_TXN: (0, 5),
    TXN_OFFSET_COMMIT: (0, 5),
}
"""And of one whose partitions join by being written to."""

_FEATURES: Final = groups(("name", STRING), ("max_level", Int16), ("min_level", Int16))
_FINALIZED: Final = 2


class Close(Exception):
    """Hang up instead of answering, after some bytes."""

    def __init__(self, sent_first: bytes = b"") -> None:
        super().__init__()
        self.sent_first = sent_first


class Silence(Exception):
    """Never answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the broker got it."""

    key: int
    version: int
    correlation_id: int
    request: Any
    """Its fields."""

    def reply(self, *fields: Any) -> bytes:
        """Return a reply of these fields, as it goes over the wire behind its header."""
        encoded: bytes = self.request.RESPONSE_TYPE(*fields).encode()
        return encoded


Spoil = Callable[[Asked, bytes], bytes]
"""Given a request and the body of its reply, returns another body; or raises Close or Silence."""


class ScriptedBroker:
    """The broker. Use as ``async with``.

    Args:
        versions: of the requests that it says it knows.
        level: of ``transaction.version``.
        partitions: of every topic that it is asked about.
    """

    def __init__(
        self,
        versions: Mapping[int, tuple[int, int]] = FIRST_VERSION,
        level: int = 0,
        partitions: int = 1,
    ) -> None:
        self.versions = versions
        self.level = level
        self.partitions = partitions
        self.brokers = (0,)
        self.last_state = "CompleteCommit"
        """Of the last transaction, as DescribeTransactions says it."""
        self.asked: list[Asked] = []
        self.spoil: dict[int, Spoil] = {}
        """By API key."""
        self.frame: Callable[[Asked, bytes], bytes] = _framed
        """Puts length, correlation id and body together."""
        self.address = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._epoch = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def count(self, key: int) -> int:
        """Return how many requests of a kind came."""
        return sum(asked.key == key for asked in self.asked)

    @property
    def written(self) -> set[tuple[str, int]]:
        """To which topics and partitions records were written."""
        return {
            (topic, partition)
            for asked in self.asked
            if asked.key == PRODUCE
            for topic, partitions, *_ in asked.request.topics
            for partition, *_ in partitions
        }

    @property
    def ends(self) -> list[bool]:
        """Whether each transaction was to be committed, in order."""
        return [
            asked.request.committed
            if hasattr(asked.request, "committed")
            else asked.request.transaction_result
            for asked in self.asked
            if asked.key == END_TXN
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                asked = _asked(await reader.readexactly(size))
                self.asked.append(asked)
                body = self._answer(asked)
                try:
                    if asked.key in self.spoil:
                        body = self.spoil[asked.key](asked, body)
                except Silence:
                    continue
                writer.write(self.frame(asked, body))
                await writer.drain()
        except Close as close:
            writer.write(close.sent_first)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, asked: Asked) -> bytes:
        body: bytes = getattr(self, f"_answer_{asked.key}")(asked)
        return body

    def _answer_18(self, asked: Asked) -> bytes:
        known = [(key, *span) for key, span in sorted(self.versions.items())]
        if asked.version == 0:
            return asked.reply(0, known)
        body = asked.reply(0, [(*entry, NO_TAGS) for entry in known], 0, NO_TAGS)
        tag = _FEATURES.encode([("transaction.version", self.level, self.level, NO_TAGS)])
        return body[:-1] + tagged({_FINALIZED: tag})

    def _answer_3(self, asked: Asked) -> bytes:
        host, port = self.address.split(":")
        brokers = [(node, host, int(port), None) for node in self.brokers]
        topics: list[Any] = [
            (0, topic, False, [(0, n, self.brokers[0], [0], [0], []) for n in self._numbers()])
            for topic in asked.request.topics or ()
        ]
        return asked.reply(0, brokers, "cluster", self.brokers[0], topics)

    def _numbers(self) -> range:
        return range(self.partitions)

    def _answer_10(self, asked: Asked) -> bytes:
        host, port = self.address.split(":")
        return asked.reply(0, 0, None, self.brokers[0], host, int(port))

    def _answer_22(self, asked: Asked) -> bytes:
        self._epoch += 1
        return asked.reply(0, 0, 7, self._epoch)

    def _answer_24(self, asked: Asked) -> bytes:
        errors = [(topic, [(n, 0) for n in numbers]) for topic, numbers in asked.request.topics]
        return asked.reply(0, errors)

    def _answer_25(self, asked: Asked) -> bytes:
        return asked.reply(0, 0)

    def _answer_26(self, asked: Asked) -> bytes:
        if asked.version == 0:
            return asked.reply(0, 0)
        self._epoch += 1
        return asked.reply(0, 0, 7, self._epoch, NO_TAGS)

    def _answer_28(self, asked: Asked) -> bytes:
        if asked.version == 0:
            errors = [
                (topic, [(n, 0) for n, *_ in offsets]) for topic, offsets in asked.request.topics
            ]
            return asked.reply(0, errors)
        flexible = [
            (topic, [(n, 0, NO_TAGS) for n, *_ in offsets], NO_TAGS)
            for topic, offsets, _ in asked.request.topics
        ]
        return asked.reply(0, flexible, NO_TAGS)

    def _answer_0(self, asked: Asked) -> bytes:
        if asked.version == joining_requests.JoiningProduce.NEWEST:
            flexible: list[Any] = [
                (topic, [(n, 0, 0, -1, 0, [], None, NO_TAGS) for n, *_ in written], NO_TAGS)
                for topic, written, _ in asked.request.topics
            ]
            return asked.reply(flexible, 0, NO_TAGS)
        topics = [
            (topic, [(n, 0, 0, -1, 0) for n, _ in written])
            for topic, written in asked.request.topics
        ]
        return asked.reply(topics, 0)

    def _answer_65(self, asked: Asked) -> bytes:
        (name,) = asked.request.transactional_ids
        found: Any = (0, name, self.last_state, 60_000, -1, 7, 0, [], NO_TAGS)
        return asked.reply(0, [found], NO_TAGS)


def tagged(fields: Mapping[int, bytes]) -> bytes:
    """Return tagged fields as brokers write them; aiokafka 0.14 leaves their lengths out."""
    number = UnsignedVarInt32.encode
    each = b"".join(number(tag) + number(len(data)) + data for tag, data in fields.items())
    together: bytes = number(len(fields)) + each
    return together


def _framed(asked: Asked, body: bytes) -> bytes:
    flexible = asked.request.FLEXIBLE_VERSION and asked.key != API_VERSIONS
    reply = struct.pack(">i", asked.correlation_id) + (b"\0" if flexible else b"") + body
    return struct.pack(">i", len(reply)) + reply


def _asked(frame: bytes) -> Asked:
    data = BytesIO(frame)
    header = RequestHeader_v1.SCHEMA.decode(data)
    key, version, correlation_id, _client = header
    kind = _KINDS[key, version]
    if kind.FLEXIBLE_VERSION:
        TaggedFields.decode(data)
    return Asked(key, version, correlation_id, kind.decode(data))


def _kinds(*modules: ModuleType) -> dict[tuple[int, int], Any]:
    known: dict[tuple[int, int], Any] = {}
    for module in modules:
        for kind in vars(module).values():
            if (
                inspect.isclass(kind)
                and issubclass(kind, RequestStruct)
                and kind is not RequestStruct
            ):
                struct_class: Any = kind
                known[struct_class.API_KEY, struct_class.API_VERSION] = kind
    return known


_KINDS: Final = _kinds(
    admin,
    commit,
    coordination,
    metadata,
    produce,
    transaction,
    broker_features,
    joining_requests,
    membership,
    offsets,
    open_transactions,
    topic_ids,
    transaction_state,
)
