"""The queue's Redis as far as it can be trusted: what is found broken or forged restores the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import InvalidResponse, ResponseError

from schemas import ContractError, TopicNames
from stream.queue.accounts import queue_secret
from stream.queue.errors import Rebuilding
from stream.queue.record_seal import Forged, RecordSeal
from stream.queue.redis_scripts import Scripts, connect
from stream.redis.connection import NoText, begin_afresh
from stream.redis.trouble import refusal
from stream.settings import Settings

# What Redis says of a value that is not what our scripts keep there.
_UNREADABLE: Final = ("WRONGTYPE", "@user_script", "not an integer", "not a valid float")

_log = structlog.get_logger(__name__)


class SealedScripts(Scripts):
    """The scripts of one queue, and the seal of what they keep.

    Args:
        redis: a client that decodes responses.
        topics: names the queue.
        seal: of its records.
    """

    def __init__(self, redis: Redis, topics: TopicNames, seal: RecordSeal) -> None:
        super().__init__(redis, topics)
        self.seal = seal

    async def run(self, name: str, *arguments: str | float) -> Any:
        """Run a script; its answer is nested lists of strings and integers.

        Raises:
            Rebuilding: Redis has lost keys of the working set, which is being restored from Kafka.
        """
        answer = await super().run(name, *arguments)
        if isinstance(answer, list) and answer and answer[0] == "incomplete":
            _log.warning(
                "working_set_incomplete",
                lost=answer[1:],
                remedy="the queue's Redis evicts, or somebody deletes keys: give the queue one with "
                "maxmemory-policy noeviction",
            )
            await self._distrust()
            raise rebuilding()
        return answer

    async def sealed_by_us(self) -> bool:
        """Return whether what Redis keeps was sealed with our key."""
        return await self.redis.get(self.key("seal")) == self.seal.key_id

    async def start_anew(self) -> None:
        """Let the leading server throw everything away and restore it from Kafka.

        Only the leader may clear: two side by side would remove what the other has filed already.
        """
        # One command: nobody sees the one without the other.
        await self.redis.delete(self.key("ready"), self.key("offset"), self.key("progress"))

    @asynccontextmanager
    async def checked(self) -> AsyncIterator[None]:
        """Restore the working set where the body finds what nobody of us wrote.

        Raises:
            Rebuilding: the body raised :class:`~stream.queue.record_seal.Forged`, or Redis or we could
                make nothing of a value.
            InvalidResponse: a reply is none to what was asked. Whatever it says is not believed.
        """
        try:
            yield
        except Forged as forged:
            _log.warning("forged_record_dropped", kind=forged.kind, owner=forged.owner)
            await self._distrust()
            raise rebuilding() from forged
        except ResponseError as error:
            # A script that Redis stopped half-way, being full or a replica, met nothing broken.
            if refusal(error) or not any(sign in str(error) for sign in _UNREADABLE):
                raise
            await self._drop_unreadable(error)
            raise rebuilding() from error
        except (ContractError, NoText) as error:
            # Sealed by another release of ours, or no text at all.
            await self._drop_unreadable(error)
            raise rebuilding() from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # A client library, or a proxy, may hand us another's reply (redis-py #2624, #2665).
            _log.exception("reply_not_understood")
            await begin_afresh(self.redis)
            raise InvalidResponse(f"a reply of Redis is none to what was asked: {error}") from error

    async def _drop_unreadable(self, error: Exception) -> None:
        _log.warning("unreadable_record_dropped", error=str(error))
        await self._distrust()

    async def _distrust(self) -> None:
        key_id = await self.redis.get(self.key("seal"))
        if key_id is not None and key_id != self.seal.key_id:
            # To clear it would take another server's work away, which would then take ours.
            _log.error(
                "working_set_sealed_with_another_secret",
                remedy="set the same REVIEWS_QUEUE__SECRET on all servers of this queue",
            )
            return
        await self.start_anew()


def queue_redis(settings: Settings) -> SealedScripts:
    """Return the queue's Redis. It connects when first used; close its ``redis``.

    Raises:
        ConfigError: the file of the queue's secret is damaged, or others can read it.
    """
    return sealed_scripts(settings, connect(settings))


def sealed_scripts(settings: Settings, redis: Redis) -> SealedScripts:
    """Return the queue's scripts on a connection that is there.

    Raises:
        ConfigError: as of :func:`queue_redis`.
    """
    topics = settings.topic_names
    return SealedScripts(redis, topics, RecordSeal(queue_secret(settings.queue), topics))


def rebuilding() -> Rebuilding:
    """Return what people are told while the working set is restored."""
    return Rebuilding("the queue is being restored from Kafka", "try again in a moment")
