"""Where a command writes: what somebody made before is not written over by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.errors import InputError

Force = Annotated[bool, typer.Option("--force", help="Write over what is there already.")]


def require_new_file(path: Path, *, force: bool) -> None:
    """Refuse a file that holds something, before anything is spent on what would replace it.

    Standard output, pipes, devices and empty files are no loss.

    Raises:
        InputError: it holds something.
    """
    if not force and path.is_file() and path.stat().st_size:
        raise InputError(
            f"{path} is there already, and is not written over",
            "name another file, or add --force to replace it",
        )


def require_own_folder(folder: Path, mark: str, begins: str = "", *, force: bool) -> None:
    """Refuse a folder with files in it, unless an earlier run of the same command made them.

    Args:
        folder: of a report.
        mark: file that every such report holds.
        begins: how that file begins.
        force: write there all the same.

    Raises:
        InputError: it holds something else.
    """
    if force or not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        own = (folder / mark).read_text(encoding="utf-8").startswith(begins)
    except (OSError, UnicodeDecodeError):
        own = False
    if not own:
        raise InputError(
            f"{folder} is not empty and holds no report of this command",
            "name another folder, or add --force to write there",
        )
