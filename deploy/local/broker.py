"""One broker process of an embedded cluster."""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.java import Java
from deploy.local.kafka_config import Node
from deploy.local.ports import HOST
from deploy.local.process import STOP_SECONDS, ProcessId, ServerProcess

# Written when the broker is unfenced and takes requests; the Kafka version is pinned, and so is
# this line with it. (An open port is not enough: topics cannot be created while it is fenced.)
_STARTED: Final = "Kafka Server started"

_PING_SECONDS: Final = 2.0

# ApiVersions request, version 0 (KIP-35): every broker answers it, before authentication too.
# Length, API key 18, version 0, correlation id 7, no client id.
_PING: Final = struct.pack(">ihhih", 10, 18, 0, 7, -1)


class Broker:
    """A broker: its process, its faults, its health.

    Args:
        node: its place in the cluster.
        folder: the cluster's folder.
        flags: for the Java runtime.
        attached: it ends with us.
    """

    def __init__(self, node: Node, folder: Path, flags: Sequence[str], *, attached: bool) -> None:
        self.node = node
        self._flags = tuple(flags)
        self.process = ServerProcess(node.name, folder, attached=attached, working_dir=folder)

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self.node.endpoints[0].port

    @property
    def pid(self) -> int | None:
        """Process id of the broker itself, None when it does not run."""
        return self.process.pid

    @property
    def id(self) -> ProcessId | None:
        """Identity that outlives a reused process id, None when it does not run."""
        return self.process.id

    @property
    def log(self) -> Path:
        """What it says."""
        return self.process.log

    def launch(self, java: Java) -> None:
        """Start it and return at once."""
        properties = f"{self.node.name}.properties"
        command = java.command("kafka.Kafka", properties, flags=self._flags)
        # Java takes the encoding of file names from here; any folder name must do.
        self.process.launch(command, {"LC_ALL": "C.UTF-8"})

    def await_ready(self, seconds: float) -> None:
        """Wait until it takes requests.

        Raises:
            StartFailed: it ended, or was not ready in time.
        """
        self.process.await_ready(self._is_ready, seconds)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Let it hand over its partitions and close its files; kill it when the time is over."""
        self.resume()  # a suspended process would not hear us
        self.process.stop(seconds)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()

    def suspend(self) -> None:
        """Freeze it (SIGSTOP): the zombie that comes back when everybody thought it dead."""
        self.process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on."""
        self.process.send(signal.SIGCONT)

    def answers(self) -> bool:
        """Tell whether it answers a request; a frozen or hanging one does not."""
        return ping(self.node.internal_port)

    def _is_ready(self) -> bool:
        return _STARTED in self.process.output() and self.answers()


def ping(port: int) -> bool:
    """Tell whether a broker answers a Kafka request on a plaintext loopback port."""
    try:
        with socket.create_connection((HOST, port), _PING_SECONDS) as connection:
            connection.sendall(_PING)
            return len(connection.recv(4)) > 0
    except OSError:
        return False
