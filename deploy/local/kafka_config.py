"""The broker's configuration: what one node of an embedded cluster is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.errors import StartFailed
from deploy.local.ports import HOST

CLIENT: Final = "CLIENT"
"""Name of the listener that everybody uses: plaintext, loopback."""

_INTERNAL: Final = "INTERNAL"
_CONTROLLER: Final = "CONTROLLER"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One listener of one broker.

    Attributes:
        name: upper case, as in ``listener.name.<name>.`` properties.
        protocol: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        port: bound on the loopback interface.
        advertised: ``host:port`` that clients are told.
    """

    name: str
    protocol: str
    port: int
    advertised: str


@dataclass(frozen=True, slots=True)
class Node:
    """One process of the cluster: a broker and a controller in one.

    Attributes:
        number: from 1.
        endpoints: what clients connect to; the first is ``CLIENT``.
        internal_port: for the other brokers and for health checks. Apart from the clients', so
            that a proxy or an authenticating listener in front of those is not in the way.
        controller_port: for the quorum.
    """

    number: int
    endpoints: tuple[Endpoint, ...]
    internal_port: int
    controller_port: int

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"kafka-{self.number}"

    @property
    def data(self) -> str:
        """Its data folder, relative to the cluster's."""
        return f"data-{self.number}"


def properties(node: Node, cluster: Sequence[Node], extra: Mapping[str, str]) -> dict[str, str]:
    """Return a node's configuration.

    Args:
        node: which.
        cluster: all nodes, this one too.
        extra: further properties; they win over ours.
    """
    return _addresses(node, cluster) | _sizes(len(cluster)) | {"log.dirs": node.data} | dict(extra)


def render(settings: Mapping[str, str]) -> str:
    """Write a Java properties file; Java reads it as Latin-1 with escapes."""
    return "".join(f"{key}={_escape(value)}\n" for key, value in settings.items())


def node_of(file: Path) -> Node:
    """Return the node whose configuration we wrote to a file, with the ports that it has there.

    Raises:
        StartFailed: the file is absent, or not as we write it.
    """
    try:
        lines = file.read_text(encoding="latin-1").splitlines()
        found = dict(line.split("=", 1) for line in lines if line)
        ports = {
            name: int(address.rpartition(":")[2])
            for name, _, address in (e.partition("://") for e in found["listeners"].split(","))
        }
        advertised = dict(e.split("://", 1) for e in found["advertised.listeners"].split(","))
        protocols = dict(
            e.split(":", 1) for e in found["listener.security.protocol.map"].split(",")
        )
        internal, controller = ports.pop(_INTERNAL), ports.pop(_CONTROLLER)
        endpoints = [Endpoint(n, protocols[n], port, advertised[n]) for n, port in ports.items()]
        return Node(int(found["node.id"]), tuple(endpoints), internal, controller)
    except (OSError, ValueError, KeyError) as error:
        raise StartFailed(f"{file} does not say how its broker was started: {error}") from None


def _addresses(node: Node, cluster: Sequence[Node]) -> dict[str, str]:
    internal = Endpoint(_INTERNAL, "PLAINTEXT", node.internal_port, f"{HOST}:{node.internal_port}")
    endpoints = [*node.endpoints, internal]
    bound = [f"{e.name}://{HOST}:{e.port}" for e in endpoints]
    protocols = [f"{e.name}:{e.protocol}" for e in endpoints]
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(
            f"{n.number}@{HOST}:{n.controller_port}" for n in cluster
        ),
        "listeners": ",".join([*bound, f"{_CONTROLLER}://{HOST}:{node.controller_port}"]),
        "advertised.listeners": ",".join(f"{e.name}://{e.advertised}" for e in endpoints),
        "listener.security.protocol.map": ",".join([*protocols, f"{_CONTROLLER}:PLAINTEXT"]),
        "inter.broker.listener.name": _INTERNAL,
        "controller.listener.names": _CONTROLLER,
    }


def _sizes(brokers: int) -> dict[str, str]:
    in_sync = str(brokers // 2 + 1)  # a majority: one of one, two of three
    return {
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(brokers),
        "min.insync.replicas": in_sync,
        # Created when the first group or transaction comes, and that is when people wait.
        "offsets.topic.num.partitions": "5",
        "offsets.topic.replication.factor": str(brokers),
        "transaction.state.log.num.partitions": "5",
        "transaction.state.log.replication.factor": str(brokers),
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": str(brokers),
        "share.coordinator.state.topic.min.isr": in_sync,
        # The default waits 3 s for further members before a group's first assignment.
        "group.initial.rebalance.delay.ms": "0",
        # Tests of crashed members would wait for the default of 6 s at least.
        "group.min.session.timeout.ms": "1000",
        # 128 MiB by default, a quarter of our heap; 16 hold half a million keys a pass.
        "log.cleaner.dedupe.buffer.size": str(16 * 1024**2),
    }


def _escape(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if escaped.startswith(" "):
        escaped = f"\\{escaped}"
    utf16 = escaped.encode("utf-16-be")
    units = (int.from_bytes(utf16[i : i + 2]) for i in range(0, len(utf16), 2))
    return "".join(chr(unit) if unit < 127 else f"\\u{unit:04x}" for unit in units)  # noqa: PLR2004
