"""Can a result be written where it is to go? Asked before hours are spent on it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from training.errors import DataError


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
