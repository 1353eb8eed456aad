"""One queue server: pages, intake from Kafka, decisions to Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import uvicorn
from redis.asyncio import Redis
from redis.exceptions import RedisError
from uvicorn.protocols.http.h11_impl import H11Protocol

from stream.errors import CacheError, ConfigError, PortTaken
from stream.kafka.stopping import unless_stopped
from stream.queue.accounts import Accounts, queue_secret
from stream.queue.claims import Claims
from stream.queue.desk import Desk
from stream.queue.filing import Filing
from stream.queue.intake import Intake
from stream.queue.publisher import DecisionPublisher
from stream.queue.redis_scripts import connect
from stream.queue.sealed_scripts import sealed_scripts
from stream.queue.statistics import Statistics
from stream.queue.web.app import create_app
from stream.queue.web.site import Site
from stream.queue.working_set import WorkingSet
from stream.redis.trouble import refusal
from stream.settings import Settings
from stream.web.connections import USUAL, ClientLimits, Connections
from stream.web.hosts import refuse_clear_text

_BACKLOG: Final = 128
_GRACE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens."""

    url: str
    welcome: str | None
    """The one-time link for the first account, while there is none."""


async def serve(
    settings: Settings, stop: asyncio.Event, announce: Callable[[Serving], None]
) -> None:
    """Serve the queue until ``stop`` is set.

    Args:
        settings: all of them.
        stop: finishes what is under way, then ends.
        announce: called once, when the server listens.

    Raises:
        PortTaken: something else listens there.
        CacheError: Redis does not answer.
        BrokerError: Kafka does not answer, or lacks a topic.
        ConfigError: passwords would cross a network in the clear.
    """
    host, public_url = settings.queue.host, settings.queue.public_url
    refuse_clear_text(host, public_url, secrets="passwords", section="QUEUE")
    with listening(settings.queue.host, settings.queue.port) as listener:
        port = listener.getsockname()[1]
        redis = connect(settings)
        publisher = DecisionPublisher(settings, role=str(port))
        try:
            # Servers that take the connection and say nothing hold up nobody who wants to end.
            await unless_stopped(_connect(redis, publisher), stop)
            if stop.is_set():
                return
            site = make_site(settings, redis, publisher, lambda: intake.is_current)
            intake = Intake(settings, site.filing, f"{settings.queue.name}:{port}:{os.getpid()}")
            following = asyncio.create_task(intake.run(stop), name="intake")
            following.add_done_callback(lambda _: stop.set())  # pages without intake would mislead
            address = f"http://{_bracketed(settings.queue.host)}:{port}"
            url = settings.queue.public_url or address
            link = f"{url}/welcome?token={site.welcome.token}" if site.welcome else None
            try:
                await _serve_pages(site, listener, stop, lambda: announce(Serving(url, link)))
            finally:
                stop.set()
                await following
        finally:
            await publisher.stop()
            await redis.aclose()


async def _connect(redis: Redis, publisher: DecisionPublisher) -> None:
    await require_redis(redis)
    await publisher.start()


def make_site(
    settings: Settings,
    redis: Redis,
    publisher: DecisionPublisher,
    is_current: Callable[[], bool] = lambda: True,
) -> Site:
    """Put a queue's parts together.

    Args:
        settings: all of them.
        redis: holds the working set.
        publisher: takes decisions to Kafka.
        is_current: see :class:`~stream.queue.working_set.WorkingSet`.
    """
    scripts = sealed_scripts(settings, redis)
    working_set = WorkingSet(scripts, settings.queue, is_current)
    path = settings.queue.accounts
    return Site(
        settings=settings,
        desk=Desk(working_set, Claims(scripts, settings.queue), publisher, settings.queue),
        working_set=working_set,
        filing=Filing(scripts),
        statistics=Statistics(scripts),
        accounts=Accounts(path),
        secret=queue_secret(settings.queue),
    )


async def require_redis(redis: Redis) -> None:
    """Check that Redis answers.

    Raises:
        CacheError: it does not, or not to us.
    """
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        if (refused := refusal(error)) is not None:
            raise CacheError(f"the queue's Redis {refused.message}", refused.remedy) from None
        raise CacheError(
            "no Redis answers; the queue keeps its working set there",
            "start one with `reviews up`, or set REVIEWS_QUEUE__REDIS_URL",
        ) from None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs us: uvicorn would raise them again before we tidied up."""
        yield


def pages_config(site: Site, limits: ClientLimits = USUAL) -> uvicorn.Config:
    """Return how a queue's pages are served.

    Args:
        site: what is served.
        limits: what a client may cost.
    """
    connections = Connections(limits)
    return uvicorn.Config(
        create_app(site, connections),
        http=connections.watched(H11Protocol),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        # Headers that say where a request came from are believed only as `proxy_header` says.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


async def _serve_pages(
    site: Site, listener: socket.socket, stop: asyncio.Event, on_listening: Callable[[], None]
) -> None:
    server = _Server(pages_config(site))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="pages")
    stopped = asyncio.create_task(stop.wait())
    try:
        # The socket listens already: whoever comes before the loop accepts is only kept waiting.
        on_listening()
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        server.should_exit = True
        await serving


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        PortTaken: something else listens there.
        ConfigError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: only then does asyncio switch Nagle's algorithm off, with which a
    # page's body waits 40 ms for the browser to acknowledge its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                "set REVIEWS_QUEUE__HOST and REVIEWS_QUEUE__PORT",
            ) from None
        raise PortTaken(
            f"port {port} is taken",
            "set REVIEWS_QUEUE__PORT to another one, or to 0 for any free port",
        ) from None
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
