"""Folders that we write to, and what a person reads when that fails."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from deploy.local.errors import DataFolderError

# Enough for a start, a demo and its logs. A broker that fills a disk stops without a word.
_NEEDED_BYTES: Final = 200 * 1024**2


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say which folder could not be written, and what to do.

    Raises:
        DataFolderError: the body raised an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise DataFolderError(
            f"{folder} cannot be written: {error.strerror or error}",
            "make room on the disk, get the right to write there, or choose another data folder",
        ) from error


def make_folder(folder: Path) -> None:
    """Make a data folder, with room in it. A new one is its owner's alone.

    Raises:
        DataFolderError: it cannot be made or written, or the disk is nearly full.
    """
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(None, "permission denied")
        free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise DataFolderError(
            f"the disk of {folder} is nearly full: {free / 1024**2:.0f} MiB left, "
            f"{_NEEDED_BYTES // 1024**2} needed",
            "make room, or choose another data folder",
        )


def make_private_folder(folder: Path) -> None:
    """Make a server's data folder, with room in it, that no other account may enter.

    Raises:
        DataFolderError: as of :func:`make_folder`, or it belongs to another account.
    """
    make_folder(folder)
    private_folder(folder)


def private_folder(folder: Path) -> None:
    """Make a folder that no other account may enter; close one that is there.

    Raises:
        DataFolderError: it cannot be made, is a link, or belongs to another account.
    """
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if ours and stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
            folder.chmod(stat.S_IRWXU)
    if not ours:
        raise DataFolderError(
            f"{folder} belongs to another account of this machine",
            "choose another data folder",
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that a new server reads; a new one is its owner's alone.

    Raises:
        OSError: it cannot be written.
    """
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def size(folder: Path) -> int:
    """Return how many bytes a folder takes on the disk (Kafka's index files are sparse)."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a running broker deletes files
            total += path.lstat().st_blocks * 512  # POSIX counts blocks of 512 bytes
    return total
