"""Where faults happen: a real Kafka (one broker or three), a real Redis behind our proxies, and a registry."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, Self

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from redis.asyncio import Redis

from deploy.local import LocalKafka, LocalRedis
from deploy.local.ports import free_ports
from schemas import TopicNames
from tests.faults.kafka_proxy import KafkaProxy, Rule
from tests.faults.quotas import HARNESS
from tests.faults.redis_proxy import RedisProxy
from tests.faults.schema_registry import FaultyRegistry
from tests.support.tiny_model import write_tiny_model

PARTITIONS: Final = 4
_DIRECT: Final = "DIRECT"
# Leaders go home soon after a broker has come back, so that leader changes happen under load.
_PROPERTIES: Final = {"leader.imbalance.check.interval.seconds": "10"}


class Arena:
    """Servers and proxies for many experiments. Use as ``async with``.

    Every broker has two listeners for clients: one that is advertised with the port of a proxy of
    ours, for the workers, and a direct one for the producer and the checker.

    Args:
        folder: for data, logs and models.
        brokers: 1 or 3.
        properties: further properties of the brokers.
    """

    def __init__(
        self, folder: Path, brokers: int = 1, properties: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.model = folder / "model"
        ports = free_ports(2 * brokers)
        fronts, backs = ports[:brokers], ports[brokers:]
        self.kafka = LocalKafka(
            folder / "kafka",
            brokers,
            ports=backs,
            advertised=[f"127.0.0.1:{port}" for port in fronts],
            listeners={_DIRECT: "PLAINTEXT"},
            properties=_PROPERTIES | (properties or {}),
        )
        self.proxies = [KafkaProxy(*pair) for pair in zip(fronts, backs, strict=True)]
        # Faults change its settings while it runs.
        self.redis = LocalRedis(folder / "redis", users=["user default on nopass ~* &* +@all"])
        self.redis_proxy = RedisProxy(self.redis.socket)
        self.registry = FaultyRegistry()
        self._places: dict[KafkaProxy, KafkaProxy] = {}
        self._stack = contextlib.AsyncExitStack()

    @property
    def brokers(self) -> int:
        """How many there are."""
        return len(self.kafka.brokers)

    @property
    def direct(self) -> str:
        """Bootstrap servers past the proxies."""
        return self.kafka.servers_of(_DIRECT)

    @property
    def proxied(self) -> str:
        """Bootstrap servers through the proxies."""
        return self.kafka.bootstrap_servers

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_tiny_model(self.model)
        try:
            await asyncio.to_thread(self.redis.start)
            self._stack.callback(self.redis.kill)
            await asyncio.to_thread(self.kafka.start)
            self._stack.callback(self.kafka.kill_all)
            for proxy in self.proxies:
                await self._stack.enter_async_context(proxy)
            await self._stack.enter_async_context(self.redis_proxy)
            await self._stack.enter_async_context(self.registry)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def move_brokers(self) -> None:
        """Let every broker be found at a new port; where it was found before, nobody listens.

        The address that workers begin at stays, and leads there.
        """
        for front in self.proxies:
            (port,) = free_ports(1)
            place = self._places.get(front)
            moved = KafkaProxy(port, front.broker_port)
            moved.rewrite = front.rewrite = _advertising(front.port, port)
            await self._stack.enter_async_context(moved)
            self._places[front] = moved
            front.sever()
            front.heal()
            if place is not None:
                place.sever()

    def arm(self, *rules: Rule) -> None:
        """Arm faults at every broker; whichever sees the request first is struck."""
        for proxy in self.proxies:
            for rule in rules:
                proxy.add(rule)

    def disarm(self, *rules: Rule) -> None:
        """Remove faults again."""
        for proxy in self.proxies:
            proxy.remove(rules)

    async def create_topics(self, topics: TopicNames) -> None:
        """Create every topic of the contract, and wait until it can be seen."""
        names = {policy.name for policy in topics.policies()}
        async with self._admin() as admin:
            await admin.create_topics(
                [
                    NewTopic(
                        policy.name,
                        1 if policy.single_partition else PARTITIONS,
                        self.brokers,
                        topic_configs=policy.config(),
                    )
                    for policy in topics.policies()
                ]
            )
            while not names <= set(await admin.list_topics()):  # noqa: ASYNC110 - a broker's news
                await asyncio.sleep(0.1)

    async def add_partition(self, topics: TopicNames) -> int:
        """Add a partition to every topic that has several, the outputs first; return how many there are."""
        async with self._admin() as admin:
            (incoming,) = await admin.describe_topics([topics.incoming])
            count = len(incoming["partitions"]) + 1
            for names in (topics.outputs(), [topics.incoming]):
                await admin.create_partitions({name: NewPartitions(count) for name in names})
        return count

    async def recreate(self, topics: TopicNames) -> None:
        """Delete the incoming topic and make it anew, as it was."""
        async with self._admin() as admin:
            (incoming,) = await admin.describe_topics([topics.incoming])
            await admin.delete_topics([topics.incoming])
            (policy,) = [p for p in topics.policies() if p.name == topics.incoming]
            new = NewTopic(
                policy.name,
                len(incoming["partitions"]),
                self.brokers,
                topic_configs=policy.config(),
            )
            # Deleting takes its time; until then the name is taken.
            while (await admin.create_topics([new])).topic_errors[0][1]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def empty_cache(self) -> None:
        """Forget what earlier experiments have left in Redis, or no text would reach the model."""
        async with Redis.from_url(self.redis.url) as client:
            await client.flushall()

    async def delete_topics(self, topics: TopicNames) -> None:
        """Delete them again: the next experiment needs the disk and the broker's memory."""
        async with self._admin() as admin:
            await admin.delete_topics([policy.name for policy in topics.policies()])

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.direct, client_id=HARNESS, request_timeout_ms=30_000
        )
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()


def _advertising(port: int, other: int) -> Callable[[bytes], bytes]:
    """Return what names another port wherever a reply names a broker's."""
    host = b"127.0.0.1"
    before, after = (host + struct.pack(">i", number) for number in (port, other))
    return lambda reply: reply.replace(before, after)
