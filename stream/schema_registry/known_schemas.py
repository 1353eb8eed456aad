"""The schemas that messages were written with: asked for once, then used without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from schemas import OtherFormat, schema_named_by
from schemas.loose_fields import LONG_KEY_BYTES
from stream.schema_registry.avro import avro_reader
from stream.schema_registry.errors import AbsentPart, RegistryUnavailable, UnusableSchema
from stream.schema_registry.protobuf import protobuf_reader
from stream.schema_registry.registry import Registered, SchemaRegistry
from stream.settings import SchemaRegistrySettings

Read = Callable[[bytes], object]
# Ids come out of messages: a broken producer may name any, and must neither fill the memory nor keep a
# worker busy with asking.
_MOST_KNOWN: Final = 1_000
_AT_A_TIME: Final = 8
_ABSENT_SECONDS: Final = 5.0
"""So long an id that the registry does not have is not asked for again."""
_FOLLOWER_SECONDS: Final = 1.0
"""Wait before asking again: one registry of several may learn a new schema after its producer."""
_HASTE_SECONDS: Final = 30.0
"""If that was in vain, so long no id is waited for: a flood of wrong ones must not slow a worker down."""
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 10.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Known:
    """What is known of one schema id."""

    read: Read | None
    """None: bodies are JSON."""
    refused: str = ""
    """Why nothing is read with it."""
    until: float = float("inf")
    """Monotonic seconds: as long as this is held to be true."""


class KnownSchemas:
    """Reads bodies by schemas that were asked for before. To be closed.

    Args:
        settings: of the registry; they name at least one address.
    """

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self._registry = SchemaRegistry(settings)
        self._known: dict[int, _Known] = {}
        self._asking = asyncio.Semaphore(_AT_A_TIME)
        # One at a time: batches are decompressed by the same threads, and must not wait for compilers.
        self._preparing = asyncio.Lock()
        self._in_haste_until = 0.0
        self.failure: RegistryUnavailable | None = None
        """Why the registry cannot be asked at the moment; None: it answers, as far as is known."""

    def reader_of(self, schema_id: int) -> Read | None:
        """Return what reads bodies of a schema; None: they are JSON.

        Raises:
            OtherFormat: the registry has no such schema, or it cannot be used.
        """
        known = self._known.get(schema_id)
        if known is None:
            raise OtherFormat(f"the value names schema {schema_id}, which was not asked for")
        if known.refused:
            raise OtherFormat(f"the value cannot be read by schema {schema_id}: {known.refused}")
        return known.read

    async def learn(self, messages: Iterable[Any]) -> None:
        """Ask for the schemas that messages and their keys name, as far as they are not known.

        Args:
            messages: have ``key`` and ``value``, bytes or None.

        Raises:
            RegistryUnavailable: the registry gives no answer. Nothing that it might know may be refused.
        """
        named = _named_by(messages)
        wanted = {schema_id for schema_id in named if not self._is_known(schema_id)}
        if not wanted:
            return
        self._forget_old(named, len(wanted))
        try:
            absent = await self._ask_for(wanted)
            if absent and time.monotonic() >= self._in_haste_until:
                await asyncio.sleep(_FOLLOWER_SECONDS)
                if await self._ask_for(absent) == absent:
                    self._in_haste_until = time.monotonic() + _HASTE_SECONDS
        except RegistryUnavailable as error:
            self.failure = error
            raise
        self.failure = None

    async def learn_patiently(self, messages: Iterable[Any]) -> None:
        """Ask as :meth:`learn` does, again and again until the registry answers.

        Args:
            messages: have ``key`` and ``value``, bytes or None.
        """
        messages, wait, lost_at = list(messages), _FIRST_WAIT, time.monotonic()
        while True:
            try:
                await self.learn(messages)
            except RegistryUnavailable as error:
                if wait == _FIRST_WAIT:
                    _log.warning("schema_registry_lost", error=str(error), advice=error.remedy)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                if wait > _FIRST_WAIT:
                    seconds = round(time.monotonic() - lost_at, 1)
                    _log.warning("schema_registry_back", seconds=seconds)
                return

    async def close(self) -> None:
        """Let go of the connections."""
        await self._registry.close()

    def _is_known(self, schema_id: int) -> bool:
        known = self._known.get(schema_id)
        return known is not None and known.until > time.monotonic()

    def _forget_old(self, named: set[int], room: int) -> None:
        """Make room for schemas by forgetting the oldest, but none that is about to be used."""
        others = [schema_id for schema_id in self._known if schema_id not in named]
        for old in others[: max(len(self._known) + room - _MOST_KNOWN, 0)]:
            del self._known[old]

    async def _ask_for(self, wanted: set[int]) -> set[int]:
        """Ask for schemas; return the ids of those that the registry does not have."""
        asked = sorted(wanted)
        results = await asyncio.gather(*map(self._look_up, asked), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return {schema_id for schema_id, there in zip(asked, results, strict=True) if not there}

    async def _look_up(self, schema_id: int) -> bool:
        absent = "the registry does not have it"
        try:
            if (found := await self._found(schema_id)) is not None:
                self._known[schema_id] = found
                return True
        except AbsentPart as error:
            absent = str(error)
        except UnusableSchema as error:
            self._known[schema_id] = _Known(None, str(error))
            _log.warning("schema_unusable", schema=schema_id, error=str(error))
            return True
        self._known[schema_id] = _Known(None, absent, time.monotonic() + _ABSENT_SECONDS)
        return False

    async def _found(self, schema_id: int) -> _Known | None:
        async with self._asking:
            schema = await self._registry.schema(schema_id)
        if schema is None:
            return None
        async with self._preparing:
            return await asyncio.to_thread(_usable, schema)


def _named_by(messages: Iterable[Any]) -> set[int]:
    """Return the ids of schemas that messages and their keys name."""
    found = set()
    for message in messages:
        value = message.value and schema_named_by(message.value)
        key = message.key and schema_named_by(message.key)
        if value:
            found.add(value[0])
        # Beside JSON, eight bytes are a number, as a LongSerializer writes it.
        if key and (value or (message.value and len(message.key) != LONG_KEY_BYTES)):
            found.add(key[0])
    return found


@contextlib.asynccontextmanager
async def asking(settings: SchemaRegistrySettings) -> AsyncIterator[KnownSchemas | None]:
    """Ask a registry for as long as the block runs; None where the settings name none.

    Args:
        settings: of the registry.
    """
    schemas = KnownSchemas(settings) if settings.url else None
    try:
        yield schemas
    finally:
        if schemas is not None:
            await schemas.close()


def _usable(schema: Registered) -> _Known:
    """Return what reads bodies by a schema.

    Raises:
        UnusableSchema: nothing does.
    """
    if schema.kind == "JSON":
        return _Known(None)
    make = avro_reader if schema.kind == "AVRO" else protobuf_reader
    return _Known(make(schema.text, schema.parts))
