"""Writing so that a crash at any moment leaves the old or the new, never something between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream.private_files import held, replace_whole, sync_folder

_READ_ONLY: Final = 0o444
_READABLE: Final = 0o644
# Several people may share a registry: the process's mask says who.
_ANYBODY: Final = 0o666


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content in one step that survives a power cut; its folder is made if it is absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, text, _READABLE)


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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock: one writer at a time, released even by a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with held(path, _ANYBODY):
        yield
