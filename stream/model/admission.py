"""From an announcement to files that can be loaded: where they may lie, and a checked copy of them.

A location is followed from the registry's folder on, name by name and never through a link. Every
file is read once, into a private copy, while its digest is computed: nothing is parsed before the
digest is right, and what is parsed later is what was checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from schemas import ModelAnnouncement
from stream.errors import ModelError
from stream.model.folder import (
    CPU_GRAPH,
    FIRST_STAGE_FILES,
    GPU_GRAPH,
    MANIFEST,
    TOKENIZER,
    Manifest,
    parse_manifest,
)

MAX_MANIFEST_BYTES: Final = 1 << 20
"""Ours have 5 KB; the longest part are the stored answers."""
# A model folder has about eight files.
_MOST_FILES: Final = 64
_CHUNK: Final = 1 << 20
_SERVED: Final = (CPU_GRAPH, GPU_GRAPH, TOKENIZER, *FIRST_STAGE_FILES)
# Not to be followed, not to be waited for (a pipe), not to be inherited.
_SAFELY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RESTORE: Final = "announce a model of the registry: `reviews model announce`"


@contextlib.contextmanager
def checked_copy(announcement: ModelAnnouncement, registry: Path, max_bytes: int) -> Iterator[Path]:
    """Yield a private folder with what is served of an announced model; it goes afterwards.

    Args:
        announcement: whose signature was checked.
        registry: the location must lie below it.
        max_bytes: of all files of the folder together.

    Raises:
        ModelError: the location is elsewhere, holds a link, or not the announced files.
        OSError: something cannot be read, or the copy cannot be written.
    """
    with _opened(announcement.location, registry) as folder:
        _check_entries(folder, max_bytes)
        data, manifest = _manifest(folder, announcement)
        with tempfile.TemporaryDirectory(prefix="reviews-model-") as private:
            copy = Path(private)
            (copy / MANIFEST).write_bytes(data)
            left = max_bytes
            for name, wanted in manifest.files.items():
                left -= _copy(folder, name, wanted, copy if name in _SERVED else None, left)
            yield copy


def announced_manifest(announcement: ModelAnnouncement, registry: Path) -> Manifest:
    """Return what an announced model says of itself, and read nothing else of it.

    Raises:
        ModelError: as :func:`checked_copy`.
        OSError: likewise.
    """
    with _opened(announcement.location, registry) as folder:
        return _manifest(folder, announcement)[1]


@contextlib.contextmanager
def _opened(location: str, registry: Path) -> Iterator[int]:
    """Yield a descriptor of the folder, which links can no longer lead elsewhere."""
    names = _below(location, registry)
    with contextlib.ExitStack() as opened:

        def enter(name: str | Path, flags: int, inside: int | None) -> int:
            handle = os.open(name, flags | os.O_DIRECTORY, dir_fd=inside)
            opened.callback(os.close, handle)
            return handle

        try:
            # The registry's own path is the operator's: it may hold links.
            handle = enter(registry, os.O_RDONLY | os.O_CLOEXEC, None)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelError(
                f"there is no registry {registry} here",
                "set REVIEWS_LEARNING__REGISTRY to where the announced models lie",
            ) from None
        for name in names:
            try:
                handle = enter(name, _SAFELY, handle)
            except (FileNotFoundError, NotADirectoryError):
                raise ModelError(
                    f"{location} is no folder, or a link leads to it", _RESTORE
                ) from None
            except OSError as error:
                raise ModelError(f"{location} cannot be opened: {error.strerror}") from None
        yield handle


def _below(location: str, registry: Path) -> tuple[str, ...]:
    """Return the names that lead from the registry to a location."""
    path = PurePosixPath(location)
    if "\0" not in location and ".." not in path.parts:
        for root in (registry.absolute(), registry.resolve()):
            with contextlib.suppress(ValueError):
                if names := path.relative_to(root).parts:
                    return names
    raise ModelError(
        f"{location!r:.200} does not lie in the registry {registry.absolute()}",
        "set REVIEWS_LEARNING__REGISTRY to where the announced models lie",
    )


def _check_entries(folder: int, max_bytes: int) -> None:
    """Make sure that there are a few plain files of a sane size, and nothing else."""
    names = os.listdir(folder)
    if len(names) > _MOST_FILES:
        raise ModelError(f"the folder holds {len(names)} files; a model has at most {_MOST_FILES}")
    size = 0
    for name in names:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise ModelError(f"{name!r} is no plain file: a model has no links and no folders")
        size += found.st_size
    if size > max_bytes:
        raise ModelError(
            f"the model's files have {size / 1e6:,.0f} MB together; {max_bytes / 1e6:,.0f} are allowed",
            "REVIEWS_MODEL__MAX_FOLDER_MB",
        )


def _manifest(folder: int, announcement: ModelAnnouncement) -> tuple[bytes, Manifest]:
    with _file(folder, MANIFEST) as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise ModelError(f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES:,} bytes")
    if hashlib.sha256(data).hexdigest() != announcement.manifest_digest:
        raise ModelError(
            f"{announcement.location} does not hold the announced model {announcement.version}",
            _RESTORE,
        )
    manifest = parse_manifest(data, Path(announcement.location))
    if manifest.version != announcement.version:
        raise ModelError(
            f"{announcement.location} holds {manifest.version}, announced is {announcement.version}"
        )
    return data, manifest


def _copy(folder: int, name: str, wanted: str, into: Path | None, most: int) -> int:
    """Check a file's digest while copying it, unless nothing of it is served; return its size."""
    digest, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_file(folder, name))
        copy = None if into is None else stack.enter_context((into / name).open("xb"))
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most:  # it grew since it was looked at
                raise ModelError(f"{name} is too large")
            digest.update(chunk)
            if copy is not None:
                copy.write(chunk)
    if digest.hexdigest() != wanted:
        raise ModelError(f"{name} is damaged (its SHA-256 is not the manifest's)", _RESTORE)
    return size


def _file(folder: int, name: str) -> BinaryIO:
    """Open a plain file in a folder."""
    if PurePosixPath(name).name != name or "\0" in name:
        raise ModelError(f"the manifest names a file outside: {name!r}")
    try:
        handle = os.open(name, _SAFELY, dir_fd=folder)
    except FileNotFoundError:
        raise ModelError(f"{name} is absent", _RESTORE) from None
    except OSError as error:
        raise ModelError(f"{name} cannot be opened: {error.strerror}") from None
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise ModelError(f"{name} is no plain file")
    return file
