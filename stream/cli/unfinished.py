"""How far `reviews produce` came with a file, so that it can go on after Ctrl-C, a crash or a dead broker."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from stream.errors import InputError
from stream.private_files import write_private

FOLDER: Final = Path(".reviews/produce")
# A process that is killed notes nothing more: at most so much is sent a second time then.
_EVERY_SECONDS: Final = 1.0


class Unfinished:
    """What a cluster has of one file in one topic. Reviews are delivered in the order of the file.

    Make it before the file is read: a file that is replaced meanwhile is another one.

    Args:
        file: the reviews; it must lie on a disk.
        topic: where they go.
        servers: addresses of the cluster.
        folder: where it is noted.
        sheet: of a workbook, where somebody named one.
    """

    def __init__(
        self, file: Path, topic: str, servers: str, folder: Path = FOLDER, *, sheet: str = ""
    ) -> None:
        self._file = file.resolve()
        self._topic = topic
        self._state = _state(self._file)
        parts = [str(self._file), topic, servers, *([sheet] if sheet else [])]
        named = "\n".join(parts).encode("utf-8", "surrogatepass")
        self._path = folder / f"{hashlib.sha256(named).hexdigest()[:16]}.json"
        self._noted_at = time.monotonic()

    def delivered(self) -> int:
        """Return how many of the file's first reviews Kafka has already; 0 if nothing was left off.

        Raises:
            InputError: the file has changed since.
        """
        try:
            noted = json.loads(self._path.read_text(encoding="utf-8"))
            count, state = int(noted["delivered"]), noted["file"]
        except (OSError, ValueError, TypeError, LookupError):
            return 0
        if state != self._state:
            raise InputError(
                f"{self._file.name} has changed since {count:,} of its reviews were sent",
                "send it as a whole, without --resume: reviews that are sent again keep their ids",
            )
        return count

    def note(self, delivered: int, *, at_once: bool = False) -> bool:
        """Keep how many are delivered, once a second at most; return whether it was kept."""
        now = time.monotonic()
        if not at_once and now - self._noted_at < _EVERY_SECONDS:
            return False
        self._noted_at = now
        noted = {"file": self._state, "topic": self._topic, "delivered": delivered}
        try:
            write_private(self._path, json.dumps(noted))
        except OSError:  # a folder that is not ours to write in: sending goes on all the same
            return False
        return True

    def forget(self) -> None:
        """Note that the whole file is delivered."""
        with suppress(OSError):  # as in note(): everything is sent all the same
            self._path.unlink()


def _state(file: Path) -> list[object]:
    found = file.stat()
    return [str(file), found.st_size, found.st_mtime_ns]
