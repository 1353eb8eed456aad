"""TOML files that other people wrote, read without trust in their shape."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path
from typing import Any, Final

MOST_BYTES: Final = 8 * 1024 * 1024
"""A thousand categories with texts in three languages take a tenth of it."""
# The library's time and memory for a key of n parts grow with n squared: 100 KB of "a.a.a" took 4 GB.
_MOST_DOTS: Final = 300


def bounded_bytes(path: Path) -> bytes:
    """Read a file that is one, and not far too long.

    Raises:
        OSError: it cannot be read, or is a device, a pipe or far too long.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file.

    Raises:
        OSError: it cannot be read, or is a device, a pipe or far too long.
        tomllib.TOMLDecodeError: it is not TOML, or nested so that reading it would take the memory.
    """
    content = bounded_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise tomllib.TOMLDecodeError(f"it is not UTF-8: {error.reason}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS:
            raise tomllib.TOMLDecodeError(f"more than {_MOST_DOTS} dots in line {number}")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deep") from None
