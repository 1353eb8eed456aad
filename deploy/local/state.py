"""What one command writes down about its servers, for the next command to find them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from deploy.local.process import ProcessId

STATE_FILE: Final = "stack.json"


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """One server as it was started.

    Attributes:
        name: ``redis`` or ``kafka-1``.
        id: its process.
        port: for clients; 0 for Redis, which has none.
        health_port: where it can be asked how it is; likewise.
        log: path of its log.
    """

    name: str
    id: ProcessId
    port: int
    health_port: int
    log: str


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack as it was started.

    Attributes:
        bootstrap_servers: Kafka's addresses.
        redis_url: Redis' address.
        owner: the process that the servers end with; None when they were left running.
        servers: each of them.
    """

    bootstrap_servers: str
    redis_url: str
    owner: ProcessId | None = None
    servers: tuple[ServerRecord, ...] = field(default=())

    def write(self, data_dir: Path) -> None:
        """Keep it in the data folder; a reader sees all of it or the former one.

        Raises:
            OSError: the folder cannot be written.
        """
        draft = data_dir / f".{STATE_FILE}.new"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(data_dir / STATE_FILE)

    @classmethod
    def read(cls, data_dir: Path) -> Self | None:
        """Return what was written last; None when nothing was, or nothing that we understand."""
        try:
            found = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
            owner = found.pop("owner")
            servers = tuple(
                ServerRecord(id=ProcessId(**record.pop("id")), **record)
                for record in found.pop("servers")
            )
            return cls(owner=ProcessId(**owner) if owner else None, servers=servers, **found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None  # none, half a file after a power cut, or another version's

    @staticmethod
    def forget(data_dir: Path) -> None:
        """Remove it."""
        (data_dir / STATE_FILE).unlink(missing_ok=True)
