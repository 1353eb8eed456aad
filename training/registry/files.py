"""Writing so that a crash at any moment leaves the old or the new, never something between."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_READ_ONLY: Final = 0o444
_READABLE: Final = 0o644


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content in one step that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(_READABLE)  # a temporary file is its owner's alone
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def copy_model(source: Path, target: Path, but: Collection[str] = ()) -> None:
    """Copy the plain files of a model folder, flushed to disk and read-only.

    Links and sub-folders are left behind: a model has neither.

    Args:
        source: the folder.
        target: must be absent.
        but: names of files that are left behind as well.

    Raises:
        OSError: the disk is full, or the place is not ours.
    """
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.name in but or not path.is_file() or path.is_symlink():
            continue
        copy = target / path.name
        shutil.copyfile(path, copy)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        copy.chmod(_READ_ONLY)
    sync_folder(target)


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries: a rename is not on disk before."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock: one writer at a time, released even by a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
