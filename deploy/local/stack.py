"""Kafka and Redis together, started by one command and found again by the next."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil

from deploy.local import broker
from deploy.local import redis as redis_server
from deploy.local.errors import AlreadyRunning, LocalStackError
from deploy.local.folders import make_folder, size, writing
from deploy.local.jars import DownloadProgress
from deploy.local.kafka import LocalKafka, Progress
from deploy.local.mending import REDIS, broker_records, mend_brokers, mend_redis, redis_records
from deploy.local.ports import HOST
from deploy.local.process import ProcessId, end
from deploy.local.redis import LocalRedis
from deploy.local.state import ServerRecord, StackState
from stream.private_files import held

DEFAULT_DATA_DIR: Final = Path(".reviews")


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server as it is now.

    Attributes:
        name: ``redis`` or ``kafka-1``.
        address: for clients.
        pid: as it was started; another process may have that number now if it is not running.
        running: the process exists.
        answering: it answered a request just now.
        uptime_seconds: 0 when it is not running.
        memory_bytes: resident, 0 when it is not running.
        log: path of its log.
    """

    name: str
    address: str
    pid: int
    running: bool
    answering: bool
    uptime_seconds: float
    memory_bytes: int
    log: str


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The whole stack as it is now.

    Attributes:
        data_dir: where its data are.
        bootstrap_servers: Kafka's addresses.
        redis_url: Redis' address.
        servers: each server.
        data_bytes: what the data folder takes on the disk.
        owner_pid: the process that the servers end with; None when they were left running.
    """

    data_dir: str
    bootstrap_servers: str
    redis_url: str
    servers: tuple[ServerStatus, ...]
    data_bytes: int
    owner_pid: int | None = None

    @property
    def healthy(self) -> bool:
        """Whether every server runs and answers."""
        return bool(self.servers) and all(s.running and s.answering for s in self.servers)

    @property
    def left_running(self) -> bool:
        """Whether all of it is well, and ends with no other process."""
        return self.healthy and self.owner_pid is None

    @property
    def partly_down(self) -> bool:
        """Whether some servers run and answer, and others do not."""
        well = [s for s in self.servers if s.running and s.answering]
        return 0 < len(well) < len(self.servers)

    @property
    def stale(self) -> bool:
        """Whether nothing runs any more: they were killed, or the machine went down."""
        return not any(s.running for s in self.servers)


class LocalStack:
    """An embedded Kafka and Redis in one data folder.

    As a context manager the servers end with this process, however it ends. :meth:`up` leaves them
    running for other processes to find with :meth:`status` and to stop with :meth:`down`.

    Args:
        data_dir: visible and deletable; ``.reviews/`` in the working folder unless given.
        kafka_port: a free one unless given; of the first broker.
        brokers: 1, or 3 for a cluster.
        heap: Java heap of each broker.
        jvm_flags: further flags of each broker's Java runtime.
        redis_args: further arguments of redis-server.
        progress: told what is being waited for.
        on_download: told how far the first start's download is, in bytes.
    """

    def __init__(
        self,
        data_dir: Path = DEFAULT_DATA_DIR,
        *,
        kafka_port: int | None = None,
        brokers: int = 1,
        heap: str = "512m",
        jvm_flags: Sequence[str] = (),
        redis_args: Sequence[str] = (),
        progress: Progress = lambda _: None,
        on_download: DownloadProgress | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._kafka_port = kafka_port
        self._count = brokers
        self._heap = heap
        self._jvm_flags = tuple(jvm_flags)
        self._redis_args = tuple(redis_args)
        self._progress = progress
        self._on_download = on_download
        self._servers: tuple[LocalKafka, LocalRedis] | None = None

    @property
    def kafka(self) -> LocalKafka:
        """The brokers.

        Raises:
            RuntimeError: this object did not start them.
        """
        return self._started()[0]

    @property
    def redis(self) -> LocalRedis:
        """The Redis.

        Raises:
            RuntimeError: this object did not start it.
        """
        return self._started()[1]

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's addresses, once started by this object."""
        return self.kafka.bootstrap_servers

    @property
    def redis_url(self) -> str:
        """Redis' address, once started by this object."""
        return self.redis.url

    def start(self) -> Self:
        """Start both; they end with this process, however it ends.

        Raises:
            AlreadyRunning: the folder is served by another stack.
            LocalStackError: a server cannot be started; none runs then.
        """
        with self._alone():
            self._start(attached=True)
        return self

    def stop(self) -> None:
        """Stop what this object started; does nothing when that is stopped already."""
        if self._servers is None:
            return
        kafka, redis = self._servers
        self._servers = None
        redis.stop()
        kafka.stop()
        StackState.forget(self.data_dir)

    def up(self) -> StackStatus:
        """Start both and leave them running; does nothing when they run already.

        Where only some are gone, only these are started, brokers on their old ports: the clients of
        the others notice nothing, and those that wait for a broker find it again.

        Raises:
            AlreadyRunning: the folder is served by a stack that ends with another process.
            LocalStackError: a server cannot be started; none runs then.
        """
        status = self.status()
        if status is None or not status.left_running:
            with self._alone():
                status = self._up()
        if status is None:
            raise LocalStackError("the servers were stopped while they started", "try again")
        return status

    def down(self) -> bool:
        """Stop the servers that :meth:`up` left running; tell whether there were any.

        Raises:
            AlreadyRunning: they belong to a process that runs.
            DataFolderError: the data folder cannot be written.
        """
        if StackState.read(self.data_dir) is None:
            return False
        with self._alone():
            stopped = self._end_former()
            StackState.forget(self.data_dir)
        return stopped

    def status(self) -> StackStatus | None:
        """Tell how the servers of this folder are; None when none were started or all stopped."""
        state = StackState.read(self.data_dir)
        if state is None:
            return None
        return StackStatus(
            data_dir=str(self.data_dir),
            bootstrap_servers=state.bootstrap_servers,
            redis_url=state.redis_url,
            servers=tuple(_status(record, state.redis_url) for record in state.servers),
            data_bytes=size(self.data_dir),
            owner_pid=state.owner.pid if state.owner else None,
        )

    def forget(self) -> None:
        """Stop the servers and delete their data, and the folder if nothing else is in it."""
        self.down()
        for name in ("kafka", REDIS):
            shutil.rmtree(self.data_dir / name, ignore_errors=True)
        (self.data_dir / ".lock").unlink(missing_ok=True)
        with suppress(OSError):
            self.data_dir.rmdir()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _started(self) -> tuple[LocalKafka, LocalRedis]:
        if self._servers is None:
            raise RuntimeError("start the stack first")
        return self._servers

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from starting and stopping servers of this folder meanwhile."""
        with writing(self.data_dir):
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with held(self.data_dir / ".lock"):
                yield

    def _up(self) -> StackStatus | None:
        # Looked at once more: whoever held the lock before us may have started all of them.
        status = self.status()
        if status is not None and status.owner_pid is None and status.partly_down:
            self._mend(status)
            status = self.status()
        if status is None or not status.left_running:
            self._start(attached=False)
            status = self.status()
        return status

    def _start(self, *, attached: bool) -> None:
        make_folder(self.data_dir)
        self._end_former()
        kafka, redis = self._new_servers(attached=attached)
        owner = ProcessId.of(os.getpid()) if attached else None
        try:
            redis.start()
            # Written before Kafka is ready: whoever is killed meanwhile leaves a trace.
            kafka.start(lambda: _state(kafka, redis, owner).write(self.data_dir))
        except BaseException:
            redis.kill()
            StackState.forget(self.data_dir)
            raise
        self._servers = kafka, redis

    def _mend(self, status: StackStatus) -> None:
        """Start again what is down of a stack of which something runs.

        Where that cannot be done, the whole stack is down or half up, for `_start` to take over.
        """
        down = {s.name for s in status.servers if not (s.running and s.answering)}
        brokers = down - {REDIS}
        with suppress(LocalStackError):
            if REDIS in down:
                mend_redis(self.data_dir, self._redis_args)
            if brokers:
                self._progress(f"starting {' and '.join(sorted(brokers))} again")
                flags = (f"-Xmx{self._heap}", *self._jvm_flags)
                mend_brokers(self.data_dir, brokers, flags, self._on_download)

    def _new_servers(self, *, attached: bool) -> tuple[LocalKafka, LocalRedis]:
        kafka = LocalKafka(
            self.data_dir / "kafka",
            self._count,
            ports=None if self._kafka_port is None else [self._kafka_port],
            heap=self._heap,
            jvm_flags=self._jvm_flags,
            attached=attached,
            progress=self._progress,
            on_download=self._on_download,
        )
        redis = LocalRedis(self.data_dir / REDIS, self._redis_args, attached=attached)
        return kafka, redis

    def _end_former(self) -> bool:
        state = StackState.read(self.data_dir)
        if state is None:
            return False
        if state.owner is not None and state.owner.find() is not None:
            raise AlreadyRunning(
                f"{self.data_dir} is in use by process {state.owner.pid}, which started its "
                "servers and will stop them",
                "end that process, or choose another data folder",
            )
        return end([found for record in state.servers if (found := record.id.find())])


def _state(kafka: LocalKafka, redis: LocalRedis, owner: ProcessId | None) -> StackState:
    records = (*broker_records(kafka.brokers), *redis_records(redis))
    return StackState(kafka.bootstrap_servers, redis.url, owner, records)


def _status(record: ServerRecord, redis_url: str) -> ServerStatus:
    process = record.id.find()
    redis = record.name == REDIS
    memory = 0
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_info().rss
    return ServerStatus(
        name=record.name,
        address=redis_url if redis else f"{HOST}:{record.port}",
        pid=record.id.pid,
        running=process is not None,
        answering=process is not None
        and (redis_server.ping(redis_url) if redis else broker.ping(record.health_port)),
        uptime_seconds=time.time() - record.id.started if process is not None else 0.0,
        memory_bytes=memory,
        log=record.log,
    )
