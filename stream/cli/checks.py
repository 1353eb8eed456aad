"""What `reviews doctor` looks at, one function a finding."""

from __future__ import annotations

import asyncio
import platform
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from redis.exceptions import NoPermissionError, RedisError

from stream.cli.findings import Finding, State
from stream.cli.incoming_check import incoming_messages
from stream.cli.model_checks import announced_models, configured_model, signatures
from stream.containers import limits
from stream.errors import ExtraMissing, ReviewsError, TopicMissing
from stream.guard.sealing import UNSEALED_REMEDY, anybody_decides
from stream.kafka.connection import one_connection
from stream.kafka.expiry import OFFSETS, TRANSACTIONAL_IDS, Expiry, expiry
from stream.kafka.lag import PartitionLag, held_back, worker_lag
from stream.kafka.reachability import referral
from stream.kafka.topic_descriptions import (
    TopicDescription,
    describe_topics,
    less_replicated,
    uneven_partitions,
)
from stream.queue.redis_scripts import Scripts
from stream.queue.redis_scripts import connect as queue_connection
from stream.redis.connection import connect
from stream.redis.examination import server_facts, try_cache, try_scripts
from stream.redis.trouble import trouble
from stream.settings import CacheSettings, Settings
from stream.worker.cache import KEY_PREFIX, is_on_this_machine

_PACKAGES: Final = ("reviews-stream", "aiokafka", "onnxruntime", "tokenizers", "redis")
# Kafka's segments and a model folder or two; below this the next surprise is a full disk.
_LEAST_FREE_BYTES: Final = 1024**3
# Longer than the worker's own patience with Redis: a person waits gladly for a sure answer.
_REDIS_SECONDS: Final = 2.0
# Hours.
_DAY: Final = 24
_WEEK: Final = 7 * _DAY


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything, side by side; a failure of one look never hides the others."""
    looks: list[tuple[str, Callable[[Settings], Awaitable[list[Finding]]]]] = [
        ("versions", _versions),
        ("machine", _machine),
        ("disk", _disk),
        ("model", configured_model),
        ("kafka", _kafka),
        ("incoming", incoming_messages),
        ("announced", announced_models),
        ("signing", signatures),
        ("guard", _guard),
        ("redis", _redis),
        ("queue", _queue),
        ("port", _port),
    ]
    found = await asyncio.gather(*(_look(name, look(settings)) for name, look in looks))
    return [finding for findings in found for finding in findings]


async def _look(name: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await look
    except ReviewsError as error:
        return [Finding(name, "failed", error.message, error.remedy, error.exit_code)]


async def _versions(_: Settings) -> list[Finding]:
    shown = [f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            shown.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            absent = f"{package} is not installed"
            return [Finding("versions", "failed", absent, "pip install .", ExtraMissing.exit_code)]
    return [Finding("versions", "ok", ", ".join(shown))]


async def _machine(_: Settings) -> list[Finding]:
    found = limits()
    detail = f"{found.described()}: {found.cores} calls of the model side by side"
    return [Finding("machine", "ok", detail)]


async def _disk(_: Settings) -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    detail = f"{free / 1024**3:.1f} GiB free here"
    if free < _LEAST_FREE_BYTES:
        return [Finding("disk", "warning", detail, "free some space before running Kafka here")]
    return [Finding("disk", "ok", detail)]


async def _kafka(settings: Settings) -> list[Finding]:
    topics = await describe_topics(settings)
    broker = await _brokers(settings)
    absent = [topic.name for topic in topics if not topic.exists]
    not_seen = [_not_seen(settings, absent)] if absent else []
    if any(finding.state == "failed" for finding in not_seen):
        return [broker, *not_seen]
    problems = _by_problem(topics)
    problems += [
        f"{name} has another partition count than the incoming topic"
        for name in uneven_partitions(topics, settings.topic_names)
    ]
    problems += [
        f"{name} has fewer replicas than the incoming topic"
        for name in less_replicated(topics, settings.topic_names)
    ]
    if problems:
        remedy = (
            "`reviews topics update` sets what falls short (with `--dry-run` it only says so); "
            "`kafka-topics.sh --alter` gives a topic more partitions, `kafka-reassign-partitions.sh` "
            "more replicas (REVIEWS_TOPICS__REPLICATION of new ones)"
        )
        found = Finding("topics", "warning", "; ".join(problems), remedy)
    else:
        which = f"{len(topics) - len(absent)} of {len(topics)}" if absent else f"all {len(topics)}"
        found = Finding("topics", "ok", f"{which} are there")
    remembers = _expiry(await expiry(settings.kafka, settings.topic_names.incoming))
    return [broker, *not_seen, found, remembers, *_lag(settings, await worker_lag(settings))]


def _not_seen(settings: Settings, absent: Sequence[str]) -> Finding:
    """Tell of topics that are absent: Kafka says so as well of those that a user has no right on."""
    names, remedy = settings.topic_names, "`reviews topics create`"
    if settings.kafka.security_protocol == "PLAINTEXT":
        may_be_hidden = False
    else:
        may_be_hidden = names.of_workers().isdisjoint(absent)
        remedy += "; if they are there, this user has no right on them: `reviews acl ROLE`"
    if may_be_hidden:
        detail = (
            f"absent, or hidden from this user: {', '.join(absent)}; a worker needs none of them"
        )
        return Finding("topics", "warning", detail, remedy)
    if names.existing in absent:
        remedy = "correct REVIEWS_TOPICS__INCOMING, the topic that is yours; then " + remedy
    detail = f"absent: {', '.join(absent)}"
    return Finding("topics", "failed", detail, remedy, TopicMissing.exit_code)


def _by_problem(topics: Iterable[TopicDescription]) -> list[str]:
    """Return each problem once, with the topics that have it."""
    having: dict[str, list[str]] = {}
    for topic in topics:
        for problem in topic.problems:
            having.setdefault(problem, []).append(topic.name)
    return [f"{', '.join(names)}: {problem}" for problem, names in having.items()]


def _expiry(found: Expiry) -> Finding:
    if found.offsets is None and found.transactional_ids is None:
        detail = "the brokers do not say for how long they keep offsets and transactional ids"
        return Finding("expiry", "skipped", detail)
    short, remedies = [], []
    if found.offsets is not None and found.offsets < min(found.reviews or _WEEK, _WEEK):
        short.append(
            f"offsets of a group without members are kept for {found.offsets:,.3g} h, reviews for "
            f"longer: after such a pause of all workers, what was decided is decided again"
        )
        remedies.append(f"{OFFSETS} of the brokers above retention.ms of the topic")
    if found.transactional_ids is not None and found.transactional_ids < _DAY:
        short.append(
            f"transactional ids are kept for {found.transactional_ids:,.3g} h: after such a quiet "
            "time the first transaction is tried twice"
        )
        remedies.append(f"{TRANSACTIONAL_IDS} of a day or more")
    if short:
        return Finding("expiry", "warning", "; ".join(short), "set " + ", ".join(remedies))
    return Finding("expiry", "ok", "the brokers keep offsets and transactional ids for long enough")


async def _brokers(settings: Settings) -> Finding:
    found = await referral(settings.kafka.bootstrap_servers, one_connection(settings.kafka))
    if found is not None and found.unreachable:
        away = ", ".join(f"{where} ({why})" for where, why in found.unreachable.items())
        return Finding(
            "kafka",
            "warning",
            f"answers at {found.server}, but of the brokers that it names some cannot be reached: {away}",
            "let their advertised.listeners name addresses that can be reached from here",
        )
    return Finding("kafka", "ok", f"answers at {settings.kafka.bootstrap_servers}")


_DELETED_REMEDY: Final = (
    "what retention took before a worker read it is not decided: send it again, start workers before "
    "retention.ms is over, and let message.timestamp.type be LogAppendTime"
)


def _lag(settings: Settings, partitions: list[PartitionLag]) -> list[Finding]:
    # As the metric counts, and the alert judges: three opinions of one lag help nobody.
    behind, level = sum(partition.lag for partition in partitions), settings.monitor.alert_lag[0]
    readable = sum(partition.readable for partition in partitions)
    state: State = "warning" if behind >= level else "ok"
    detail = f"{behind:,} reviews wait for a worker"
    detail += f"; the alert is raised at {level:,.0f}" if behind else ""
    remedy = "if they do not become fewer, start workers with `reviews work`" if readable else ""
    findings = [Finding("lag", state, detail, remedy)]
    if lost := {lag.partition: lag.deleted for lag in partitions if lag.deleted}:
        named = ", ".join(
            f"{settings.topic_names.incoming}[{number}]: {count:,} offsets"
            for number, count in sorted(lost.items())
        )
        findings.append(Finding("deleted", "warning", f"deleted unread: {named}", _DELETED_REMEDY))
    if held := held_back(settings.topic_names.incoming, partitions):
        remedy = (
            "end it where it was begun; else the broker does after its time-out, or an operator "
            "with `kafka-transactions.sh abort`"
        )
        findings.append(Finding("transactions", "warning", "; ".join(held), remedy))
    return findings


async def _guard(settings: Settings) -> list[Finding]:
    mode = settings.guard.mode
    if mode != "hold":
        return [Finding("guard", "skipped", f"in mode {mode} no category is held")]
    if anybody_decides(settings.guard):
        detail = "its decisions need no seal: who may write the topic holds and releases categories"
        return [Finding("guard", "warning", detail, UNSEALED_REMEDY)]
    return [Finding("guard", "ok", "its decisions must be sealed with REVIEWS_GUARD__KEY")]


async def _redis(settings: Settings) -> list[Finding]:
    url = settings.cache.url.get_secret_value() if settings.cache.url else ""
    if not url:
        return [Finding("redis", "skipped", "no cache is configured")]
    client = connect(url, settings.cache.ssl_ca_file, seconds=_REDIS_SECONDS)
    try:
        facts = await server_facts(client)
        await try_cache(client, KEY_PREFIX)
    except (RedisError, OSError) as error:
        met = trouble(error)
        detail = f"{met.message}; workers go on without a cache"
        return [Finding("redis", "warning", detail, f"{met.remedy} (REVIEWS_CACHE__URL)")]
    finally:
        await client.aclose()
    return [Finding("redis", "ok", f"{facts.version} answers"), _cache_key(settings.cache)]


async def _queue(settings: Settings) -> list[Finding]:
    """Look at the queue's Redis; without it there is no queue, but workers do not need one."""
    if not (settings.queue.redis_url or settings.cache.url):
        return [Finding("queue", "skipped", "no Redis is configured")]
    scripts = Scripts(queue_connection(settings), settings.topic_names)
    try:
        facts = await server_facts(scripts.redis)
        await try_scripts(scripts.redis, scripts.prefix)
    except NoPermissionError:
        return [Finding("queue", "skipped", "this user of Redis is not the queue's")]
    except (RedisError, OSError) as error:
        met = trouble(error)
        detail = f"its Redis {met.message}; `reviews queue` cannot work"
        return [Finding("queue", "warning", detail, f"{met.remedy} (REVIEWS_QUEUE__REDIS_URL)")]
    finally:
        await scripts.redis.aclose()
    if facts.evicts:
        return [
            Finding(
                "queue",
                "warning",
                "its Redis throws keys away when it is full (maxmemory-policy allkeys-*): the queue "
                "is then restored from Kafka, again and again",
                "give the queue a Redis of its own with maxmemory-policy noeviction "
                "(REVIEWS_QUEUE__REDIS_URL)",
            )
        ]
    return [Finding("queue", "ok", f"{facts.version} can keep its working set")]


def _cache_key(cache: CacheSettings) -> Finding:
    if cache.key is not None:
        return Finding("cache key", "ok", "set; the same one on every worker shares the answers")
    if is_on_this_machine(cache):
        return Finding(
            "cache key", "ok", f"kept in {cache.key_file} for the workers of this machine"
        )
    return Finding(
        "cache key",
        "warning",
        "REVIEWS_CACHE__KEY is not set: workers on several machines do not share their answers",
        "set it to one random text on all of them; it must not stand in Redis",
    )


async def _port(settings: Settings) -> list[Finding]:
    http = settings.http
    if not http.enabled or http.port == 0:
        return [Finding("port", "skipped", "health and metrics take any free port, or are off")]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((http.host, http.port))
        except OSError:
            detail = f"{http.port} is taken: by a worker, or by something else"
            remedy = "a second worker here needs another REVIEWS_HTTP__PORT, or 0"
            return [Finding("port", "warning", detail, remedy)]
    return [Finding("port", "ok", f"{http.port} is free for health and metrics")]
