"""Faults around the workers: brokers, the network at each step of the protocol, Redis, the disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from tests.faults.experiment import SESSION_SECONDS, Experiment, Injector
from tests.faults.kafka_proxy import Action, Rule
from tests.faults.quotas import throttled
from tests.faults.redis_proxy import Mode
from tests.faults.schema_registry import RegistryMode
from tests.faults.wire import Api

_STRIKE_SECONDS: Final = 30.0
EXPIRES_SOON: Final = {
    "transactional.id.expiration.ms": "3000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "producer.id.expiration.ms": "3000",
    "producer.id.expiration.check.interval.ms": "500",
}
"""Of brokers that forget transactional ids within seconds, instead of a week."""
_QUIET_SECONDS: Final = (6.0, 9.0)
# Longer than the worker's request time-out (4 s) and transaction time-out (8 s): the delayed
# request reaches the broker after its sender has given up and has been succeeded.
_LATE_SECONDS: Final = (5.0, 10.0)
_AFTER_THE_END_SECONDS: Final = (6.0, 11.0)
_OF_A_TRANSACTION: Final = (Api.PRODUCE, Api.TXN_OFFSET_COMMIT, Api.END_TXN)
_DEAD_SHARE: Final = 1 / 3
_OF_A_REBALANCE: Final = {Api.JOIN_GROUP, Api.SYNC_GROUP, Api.OFFSET_FETCH, Api.INIT_PRODUCER_ID}
_ACTIONS: Final = (Action.LOSE_REPLY, Action.DELAY_REQUEST, Action.CUT, Action.DELAY_REPLY)


async def kill_broker(run: Experiment) -> str:
    """Kill -9 a broker, and start it again after a while."""
    kafka, victim = run.arena.kafka, run.random.randrange(run.arena.brokers)
    down = run.random.uniform(0.5, 4)
    await asyncio.to_thread(kafka.kill, victim)
    await asyncio.sleep(down)
    await asyncio.to_thread(kafka.restart, victim)
    return f"broker {victim + 1} killed, back after {down:.1f} s"


async def restart_broker(run: Experiment) -> str:
    """Stop a broker in order (its leaderships move, in a cluster) and start it again."""
    victim = run.random.randrange(run.arena.brokers)
    await asyncio.to_thread(run.arena.kafka.restart, victim)
    return f"broker {victim + 1} restarted in order"


async def lose_broker(run: Experiment) -> str:
    """Kill one broker of three and go on without it for a while."""
    kafka, victim = run.arena.kafka, run.random.randrange(run.arena.brokers)
    await asyncio.to_thread(kafka.kill, victim)
    await run.load.more(3 * run.load.rate)
    await asyncio.to_thread(kafka.restart, victim)
    return f"broker {victim + 1} lost while {3 * run.load.rate} more reviews came"


async def freeze_broker(run: Experiment) -> str:
    """SIGSTOP a broker: its connections stay open and nobody answers."""
    broker = run.random.choice(run.arena.kafka.brokers)
    asleep = run.random.uniform(2, SESSION_SECONDS + 4)
    broker.suspend()
    await asyncio.sleep(asleep)
    broker.resume()
    return f"broker frozen for {asleep:.1f} s"


async def stuttering_broker(run: Experiment) -> str:
    """Let a broker run only a fifth of the time, as one whose disk is far too slow."""
    broker = run.random.choice(run.arena.kafka.brokers)
    for _ in range(12):
        broker.suspend()
        await asyncio.sleep(0.4)
        broker.resume()
        await asyncio.sleep(0.1)
    return "broker stopped for 0.4 s of every 0.5 s, 6 s long"


async def full_disk(run: Experiment) -> str:
    """Fill the disk that the broker's log is on; it halts; make room and start it again."""
    kafka = run.arena.kafka
    filler = kafka.data_dir / "filler"
    with filler.open("wb") as file:
        while True:
            try:
                file.write(b"\0" * 1024 * 1024)
            except OSError:
                break
    broker = kafka.brokers[0]
    async with asyncio.timeout(_STRIKE_SECONDS):
        while broker.pid is not None:  # noqa: ASYNC110 - it is not our child
            await asyncio.sleep(0.1)
    filler.unlink()
    await asyncio.to_thread(kafka.restart, 0)
    return "disk full, the broker halted; room made, started again"


def protocol(api: Api) -> Injector:
    """Break, lose or delay one request between worker and broker, each in its turn."""

    async def inject(run: Experiment) -> str:
        action = _ACTIONS[len(run.result.injections) % len(_ACTIONS)]
        low, high = _LATE_SECONDS
        rule = Rule(api, action, run.random.uniform(low, high))
        run.arena.arm(rule)
        try:
            if api in _OF_A_REBALANCE:
                await run.fleet.start()
            async with asyncio.timeout(_STRIKE_SECONDS):
                await rule.struck.wait()
        finally:
            run.arena.disarm(rule)
        delayed = action in {Action.DELAY_REQUEST, Action.DELAY_REPLY}
        late = f" by {rule.seconds:.1f} s" if delayed else ""
        return f"{action.name.lower().replace('_', ' ')} {api.name}{late}"

    return inject


async def late_request(run: Experiment) -> str:
    """Let a transaction's request reach the broker once its sender is dead and others have gone on."""
    api = _OF_A_TRANSACTION[len(run.result.injections) % len(_OF_A_TRANSACTION)]
    rule = Rule(api, Action.DELAY_REQUEST, run.random.uniform(*_AFTER_THE_END_SECONDS))
    run.arena.arm(rule)
    try:
        async with asyncio.timeout(_STRIKE_SECONDS):
            await rule.struck.wait()
    finally:
        run.arena.disarm(rule)
    if kill := run.random.random() < _DEAD_SHARE:
        await run.random.choice(run.fleet.members).kill()
    async with asyncio.timeout(_STRIKE_SECONDS):
        await rule.passed.wait()
    # What it may do then is in the partitions before the next fault.
    await run.load.more(run.load.rate)
    dead = ", a worker killed meanwhile" if kill else ""
    return f"{api.name} late by {rule.seconds:.1f} s{dead}"


async def cut_network(run: Experiment) -> str:
    """Reset every connection between workers and brokers, and refuse new ones for a while."""
    seconds = run.random.uniform(0.2, 6)
    for proxy in run.arena.proxies:
        proxy.sever()
    await asyncio.sleep(seconds)
    for proxy in run.arena.proxies:
        proxy.heal()
    return f"network cut for {seconds:.1f} s"


async def black_hole(run: Experiment) -> str:
    """Swallow every packet between workers and brokers, past the session time-out."""
    seconds = run.random.uniform(2, SESSION_SECONDS + 4)
    for proxy in run.arena.proxies:
        proxy.freeze()
    await asyncio.sleep(seconds)
    for proxy in run.arena.proxies:
        proxy.heal()
    return f"packets swallowed for {seconds:.1f} s"


def redis_becomes(mode: Mode) -> Injector:
    """Let Redis be slow, silent, broken or wrong for a while."""

    async def inject(run: Experiment) -> str:
        proxy = run.arena.redis_proxy
        wrong = proxy.wrong_answers
        await proxy.become(mode)
        await run.load.more(2 * run.load.rate)
        await proxy.become(Mode.HEALTHY)
        told = proxy.wrong_answers - wrong
        return f"Redis {mode.name.lower()}" + (f", {told} wrong replies" if told else "")

    return inject


def registry_becomes(*modes: RegistryMode) -> Injector:
    """Let the schema registry give no answer for a while, in one of several ways."""

    async def inject(run: Experiment) -> str:
        mode, registry = run.random.choice(modes), run.arena.registry
        asked = registry.asked
        await registry.become(mode)
        await run.load.more(2 * run.load.rate)
        await registry.become(RegistryMode.HEALTHY)
        return f"registry {mode.name.lower()}, asked {registry.asked - asked} times"

    return inject


async def kill_while_registry_is_away(run: Experiment) -> str:
    """Kill -9 a worker that waits for the schema registry; another waits in its place."""
    await run.arena.registry.become(run.random.choice((RegistryMode.FAILING, RegistryMode.SILENT)))
    await run.load.more(run.load.rate)
    await run.random.choice(run.fleet.members).kill()
    await run.load.more(run.load.rate)
    await run.arena.registry.become(RegistryMode.HEALTHY)
    return "kill -9 while the registry was away"


async def kill_redis(run: Experiment) -> str:
    """Kill Redis; it comes back empty."""
    redis = run.arena.redis
    await asyncio.to_thread(redis.kill)
    await run.load.more(run.load.rate)
    for snapshot in redis.data_dir.glob("*.rdb"):
        snapshot.unlink()
    await asyncio.to_thread(redis.start)
    return "Redis killed, back and empty"


async def full_redis(run: Experiment) -> str:
    """Let Redis be full: it refuses writes, and answers what it has."""
    async with _redis(run) as redis:
        await redis.config_set("maxmemory", 1)
        await run.load.more(2 * run.load.rate)
        await redis.config_set("maxmemory", 0)
    return "Redis full (noeviction)"


async def evicting_redis(run: Experiment) -> str:
    """Let Redis throw away whatever was used least."""
    async with _redis(run) as redis:
        used = (await redis.info("memory"))["used_memory"]
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("maxmemory", used)
        before = (await redis.info("stats"))["evicted_keys"]
        await run.load.more(2 * run.load.rate)
        evicted = (await redis.info("stats"))["evicted_keys"] - before
        await redis.config_set("maxmemory", 0)
        await redis.config_set("maxmemory-policy", "noeviction")
    return f"Redis evicted {evicted} keys (allkeys-lru)"


async def read_only_redis(run: Experiment) -> str:
    """Let Redis become a replica of nobody at hand, as after a fail-over, and a primary again."""
    async with _redis(run) as redis:
        await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        await run.load.more(2 * run.load.rate)
        await redis.execute_command("REPLICAOF", "NO", "ONE")
    return "Redis a read-only replica"


async def added_partition(run: Experiment) -> str:
    """Add a partition to all topics under load."""
    count = await run.arena.add_partition(run.topics)
    await run.load.more(3 * run.load.rate)
    return f"a partition added: {count}"


async def recreated_topic(run: Experiment) -> str:
    """Delete the incoming topic and make it anew; every second time the workers see nothing of it.

    They are frozen then until the new topic has become longer than the old one: where they were reading
    lies in the midst of it.
    """
    unseen = len(run.result.injections) % 2 == 1
    longest = max(run.load.ends.values())
    await run.recreate_incoming(unseen=unseen)
    if not unseen:
        return "the incoming topic deleted and made anew"
    rate, run.load.rate = run.load.rate, 20 * run.load.rate
    try:
        async with asyncio.timeout(_STRIKE_SECONDS):
            while min(run.load.ends.values(), default=0) <= longest:  # noqa: ASYNC110 - as the load ticks
                await asyncio.sleep(0.05)
    finally:
        run.load.rate = rate
        for member in run.fleet.members:
            member.signal(signal.SIGCONT)
    return f"the incoming topic made anew and longer than before ({longest}), unseen by the workers"


async def foreign_transaction(run: Experiment) -> str:
    """Let somebody else's transaction hang on the input, past the session time-out, then end it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=run.arena.direct,
        transactional_id=f"foreign-{run.random.randrange(10**9)}",
        transaction_timeout_ms=60_000,
    )
    seconds = run.random.uniform(2, SESSION_SECONDS + 4)
    await producer.start()
    try:
        await producer.begin_transaction()
        for partition in await producer.partitions_for(run.topics.incoming):
            await producer.send_and_wait(run.topics.incoming, b"never", partition=partition)
        await asyncio.sleep(seconds)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    return f"a foreign transaction hung for {seconds:.1f} s"


async def moved_brokers(run: Experiment) -> str:
    """Let the brokers come back under another address."""
    await run.arena.move_brokers()
    return "brokers moved to other ports"


# Kafka's names; a worker under the scenario's load writes some 100 KB a second and reads as much.
_QUOTAS: Final = (
    {"producer_byte_rate": 30_000.0},
    {"consumer_byte_rate": 20_000.0},
    {"request_percentage": 0.5},
    {"producer_byte_rate": 1_000.0, "consumer_byte_rate": 1_000.0, "request_percentage": 0.5},
)


async def throttling_broker(run: Experiment) -> str:
    """Hold the workers to quotas far below what they need, then lift them."""
    quotas = _QUOTAS[len(run.result.injections) % len(_QUOTAS)]
    seconds = run.random.uniform(4, 2 * SESSION_SECONDS)
    async with throttled(run.arena.direct, quotas):
        await asyncio.sleep(seconds)
    named = ", ".join(f"{name}={value:g}" for name, value in quotas.items())
    return f"throttled for {seconds:.1f} s: {named}"


async def quiet(run: Experiment) -> str:
    """Send nothing until the workers' transactional ids have expired."""
    rate, run.load.rate = run.load.rate, 0
    seconds = run.random.uniform(*_QUIET_SECONDS)
    await asyncio.sleep(seconds)
    run.load.rate = rate
    return f"nothing came for {seconds:.1f} s"


@contextlib.asynccontextmanager
async def _redis(run: Experiment) -> AsyncIterator[Redis]:
    async with Redis.from_url(run.arena.redis.url) as client:
        yield client


def small_disk(folder: Path, megabytes: int) -> bool:
    """Mount a small file system on a folder; False where that is not allowed."""
    if os.geteuid() != 0:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def unmount(folder: Path) -> None:
    """Take it away again; lazily, since a dying broker may still hold files."""
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
