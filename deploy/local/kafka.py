"""An embedded Apache Kafka in KRaft mode: one broker, or a cluster of several."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from deploy.local.broker import Broker
from deploy.local.errors import StartFailed
from deploy.local.folders import make_private_folder, write_private, writing
from deploy.local.jars import KAFKA_VERSION, DownloadProgress, JarCache
from deploy.local.java import Java
from deploy.local.kafka_config import CLIENT, Endpoint, Node, properties, render
from deploy.local.ports import HOST, free_ports, require_free
from deploy.local.process import PRIVATE_UMASK, STOP_SECONDS

Progress = Callable[[str], None]
"""Told in a few words what is being waited for."""

# A cold start takes 2 to 5 s; a loaded two-core machine may need ten times that.
START_SECONDS: Final = 90.0
_FORMAT_SECONDS: Final = 60.0


class LocalKafka:
    """A Kafka for development and tests. Start it, or use it as a context manager.

    Example::

        with LocalKafka(Path("data"), brokers=3) as kafka:
            kafka.kill(0)
            kafka.restart(0)

    Args:
        data_dir: where topics, logs and configuration are; deleting it forgets all topics.
        brokers: 1, or more for a cluster (of 3: replication 3, min ISR 2).
        ports: client port of each broker; free ones unless given.
        advertised: ``host:port`` that each broker tells clients, if not its own (a proxy's).
        heap: Java heap of each broker.
        listeners: further listeners of every broker, name to protocol, on free ports: ``{"SECURE":
            "SASL_SSL"}``. Their keys and mechanisms are ``listener.name.secure.`` properties.
        properties: further broker properties; they win over ours.
        jvm_flags: further flags of the Java runtime.
        format_arguments: further arguments of ``kafka-storage format``, as ``--add-scram``.
        attached: the brokers end with this process, however it ends.
        progress: told what is being waited for.
        on_download: told how far the first start's download is.
        jars: where Kafka itself comes from.
    """

    def __init__(
        self,
        data_dir: Path,
        brokers: int = 1,
        *,
        ports: Sequence[int] | None = None,
        advertised: Sequence[str] | None = None,
        heap: str = "512m",
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        jvm_flags: Sequence[str] = (),
        format_arguments: Sequence[str] = (),
        attached: bool = True,
        progress: Progress = lambda _: None,
        on_download: DownloadProgress | None = None,
        jars: JarCache | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._ports = list(ports) if ports is not None else None
        self._advertised = list(advertised) if advertised is not None else None
        self._protocols = {CLIENT: "PLAINTEXT"} | dict(listeners or {})
        self._properties = dict(properties or {})
        self._flags = (f"-Xmx{heap}", *jvm_flags)
        self._format_arguments = tuple(format_arguments)
        self._attached = attached
        self._progress = progress
        self._on_download = on_download
        self._jars = jars or JarCache()
        for port in self._ports or ():
            require_free(port, "Kafka")
        self.brokers = self._plan(brokers)

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to: the advertised addresses."""
        return self.servers_of(CLIENT)

    def servers_of(self, listener: str) -> str:
        """Return the addresses of one of the ``listeners``, for its clients."""
        return ",".join(
            endpoint.advertised
            for broker in self.brokers
            for endpoint in broker.node.endpoints
            if endpoint.name == listener
        )

    @property
    def ports(self) -> list[int]:
        """Port that each broker listens on for clients."""
        return [broker.port for broker in self.brokers]

    @property
    def pids(self) -> list[int | None]:
        """Process id of each broker, None where it does not run."""
        return [broker.pid for broker in self.brokers]

    def start(self, on_launch: Callable[[], None] = lambda: None) -> Self:
        """Fetch Kafka and format the storage if they are new, start all brokers, await them.

        Args:
            on_launch: called when the processes exist, long before they are ready.

        Raises:
            DownloadFailed: Kafka is not in the cache and cannot be fetched.
            DataFolderError: the data folder or the cache cannot be written.
            StartFailed: a broker ended or was not ready in time. None runs then.
        """
        java = self._java()
        make_private_folder(self.data_dir)
        self._progress(f"starting Apache Kafka {KAFKA_VERSION}")
        try:
            self._configure(java)
            for broker in self.brokers:
                broker.launch(java)
            on_launch()
            # A cluster's first broker is ready only once a second one has joined the quorum.
            for broker in self.brokers:
                broker.await_ready(START_SECONDS)
        except BaseException:
            self.kill_all()
            raise
        return self

    def stop(self) -> None:
        """Stop all brokers gracefully, all at the same time."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(Broker.stop, self.brokers))

    def kill(self, broker: int = 0) -> None:
        """Kill a broker (counted from 0) at once, as a power cut would."""
        self.brokers[broker].kill()

    def kill_all(self) -> None:
        """Kill every broker."""
        for broker in self.brokers:
            broker.kill()

    def restart(self, broker: int = 0) -> None:
        """Start a broker again, on its old ports and data; one that still runs is stopped first.

        Raises:
            StartFailed: it ended or was not ready in time.
        """
        self.brokers[broker].stop(STOP_SECONDS)
        self.brokers[broker].launch(self._java())
        self.brokers[broker].await_ready(START_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _java(self) -> Java:
        return Java.with_jars(self._jars.ensure(self._on_download))

    def _plan(self, count: int) -> list[Broker]:
        free = iter(free_ports(count * (len(self._protocols) + 2)))
        nodes = [
            Node(index + 1, self._endpoints(index, free), next(free), next(free))
            for index in range(count)
        ]
        return [Broker(node, self.data_dir, self._flags, attached=self._attached) for node in nodes]

    def _endpoints(self, index: int, free: Iterator[int]) -> tuple[Endpoint, ...]:
        endpoints = []
        for name, protocol in self._protocols.items():
            port, advertised = next(free), None
            if name == CLIENT:
                port = self._ports[index] if self._ports else port
                advertised = self._advertised[index] if self._advertised else None
            endpoints.append(Endpoint(name, protocol, port, advertised or f"{HOST}:{port}"))
        return tuple(endpoints)

    def _configure(self, java: Java) -> None:
        nodes = [broker.node for broker in self.brokers]
        with writing(self.data_dir):
            for node in nodes:
                settings = properties(node, nodes, self._properties)
                write_private(self.data_dir / f"{node.name}.properties", render(settings))
            cluster = self._cluster_id()
        new = [n for n in nodes if not (self.data_dir / n.data / "meta.properties").exists()]
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(lambda node: self._format(java, node, cluster), new))

    def _cluster_id(self) -> str:
        file = self.data_dir / "cluster-id"
        if not file.exists():
            # Kafka's form of a UUID; "X" first, since a leading dash would read as an option.
            random = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            write_private(file, f"X{random[1:]}")
        return file.read_text(encoding="ascii").strip()

    def _format(self, java: Java, node: Node, cluster: str) -> None:
        command = java.command(
            "kafka.tools.StorageTool",
            *("format", "--cluster-id", cluster, "--config", f"{node.name}.properties"),
            *self._format_arguments,
            # It runs for a second: optimising its code would take longer.
            flags=("-Xmx128m", "-XX:TieredStopAtLevel=1"),
        )
        done = subprocess.run(  # noqa: S603 - no shell, and the command is our own
            command,
            cwd=self.data_dir,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_FORMAT_SECONDS,
            umask=PRIVATE_UMASK,
            check=False,
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()
            raise StartFailed(
                f"Kafka's storage cannot be formatted:\n{said[-2000:]}",
                f"delete {self.data_dir / node.data} if its topics may be forgotten",
            )
