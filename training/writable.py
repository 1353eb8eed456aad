"""Can a result be written where it is to go? Asked before hours are spent on it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from stream.model.folder import MANIFEST
from training.errors import DataError

CHECKPOINT: Final = "config.json"
"""Moved into place last: it tells a complete checkpoint."""


def is_complete(folder: Path) -> bool:
    """Tell whether a folder holds a finished checkpoint."""
    return (folder / CHECKPOINT).is_file()


def check_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written to; it is made if it is absent.

    Raises:
        DataError: it is a file, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise DataError(
            f"nothing can be written to {folder}: {why}", "name another folder"
        ) from None


def check_replaceable(folder: Path) -> None:
    """Refuse to replace what is no model folder, before anything is trained for it.

    Raises:
        DataError: it holds something else, or nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file", "name a new folder")
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty and no model folder", "name a new folder")
    # The folder is made aside and moved into place: what counts is where it will lie.
    check_writable(folder.parent)
