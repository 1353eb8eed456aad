"""Files written whole, created exclusively, locked between processes; for their owner alone unless said.

A folder that others may write to cannot turn a write of ours elsewhere: drafts have random names
and are created with ``O_EXCL``, and locks follow no link (CWE-377, CWE-59).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from stream.errors import ConfigError

_SECRET_BYTES: Final = 48
_SHORTEST_SECRET: Final = 16


def write_private(path: Path, text: str) -> None:
    """Replace a file at once and whole; only its owner can read it.

    Raises:
        OSError: the folder cannot be written to.
    """
    private_folder(path.parent)
    replace_whole(path, text)


def replace_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file at once: whoever reads it meets the old one or the new one, after a power cut as well.

    Args:
        path: where it is, or will be.
        text: written as it is, with its own ends of lines.
        mode: who may read and write the new one.

    Raises:
        OSError: it cannot be written; the old one is there as it was, and nothing of the new one.
    """
    # Random name, O_EXCL, O_NOFOLLOW and mode 0600: mkstemp promises all of them.
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(draft).unlink()
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that belongs to a file; other processes wait for it.

    Raises:
        OSError: the lock cannot be made, or a link stands in its place.
    """
    private_folder(path.parent)
    with held(path.with_suffix(".lock")):
        yield


@contextmanager
def held(lock: Path, mode: int = 0o600) -> Iterator[None]:
    """Hold a lock on a file, made when absent; wait for whoever holds it.

    The kernel gives it back when its holder ends, however that ends.

    Args:
        lock: the file; its folder must be there.
        mode: who may hold the lock, less what the process masks.

    Raises:
        OSError: the file cannot be made, or is a link.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(lock, flags, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def kept_secret(path: Path) -> str:
    """Return the secret that a file keeps; the first call makes it.

    Raises:
        ConfigError: other accounts of this machine can read it, or it is damaged.
        OSError: it cannot be read or made.
    """
    with locked(path):
        if not path.exists():
            write_private(path, json.dumps(secrets.token_urlsafe(_SECRET_BYTES)))
        with path.open(encoding="utf-8") as file:
            # Only "others": a volume of Kubernetes gives a group of its own to what it holds.
            if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
                raise ConfigError(
                    f"other accounts of this machine can read the secret in {path}",
                    f"`rm {path}`: a new one is made, and what the old one signed is over",
                )
            text = file.read()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, str) or len(found) < _SHORTEST_SECRET:
        raise ConfigError(f"{path} holds no secret", f"`rm {path}`: a new one is made")
    return found


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries: a rename is not on disk before.

    Raises:
        OSError: the folder cannot be read.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private_folder(folder: Path) -> None:
    """Make a folder for its owner alone, unless it is there.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
