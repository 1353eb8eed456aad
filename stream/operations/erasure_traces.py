"""What still tells of an erased review: pages with its text, hashes of it, and places we cannot look into.

None of it is changed here. The people who made a page make it anew or delete it; a model's hashes belong to
what its version is a digest of.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.files.spreadsheet import guarded
from stream.model.folder import KNOWN
from stream.settings import Settings
from stream.text import short_fingerprint

# Graphs, weights, pictures: no text stands in them as it was written.
_BINARY: Final = frozenset({".onnx", ".safetensors", ".bin", ".npy", ".npz", ".png", ".jpg", ".pt"})
_READ_CHARS: Final = 4 * 1024 * 1024
# Of one character: two surrogates in JSON, as "\ud83d\ude00".
_LONGEST_SPELLING: Final = 12
# A shorter text stands by chance in any page.
_LEAST_CHARS: Final = 8
_HASH: Final = (
    "a 64-bit hash of its text, from which no text can be read: it goes with the model and with those "
    "that were trained from it"
)
_ANSWERS: Final = "answers of an LLM under digests that its text is in; delete it to forget them"
_PAGE: Final = "its text: delete the file, or make it anew"


_Looked = tuple[Path, OSError | None]
"""A file; or a place that cannot be looked into, and why."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A place that still tells of the review.

    Attributes:
        where: path or address.
        what: is there, and what to do about it.
    """

    where: str
    what: str


def find_traces(
    settings: Settings, texts: Iterable[str], normalized: Iterable[str], look_in: Iterable[Path]
) -> list[Trace]:
    """Return where a review's text, or a hash of it, still stands.

    Args:
        settings: name the registry, the runs, the serving model, and where records go.
        texts: that the review ever had, as they were written.
        normalized: the same as a model sees them.
        look_in: further folders and files: reports, labels, folders of trainings.
    """
    learning = settings.learning
    marks = np.array([short_fingerprint(text) for text in normalized], dtype=np.uint64)
    spelled = {way for text in texts if len(text) >= _LEAST_CHARS for way in _spellings(text)}
    tracked = _folder_of(settings)
    places = [learning.runs, learning.registry, *([tracked] if tracked else []), *look_in]
    found = [
        Trace(str(path), told)
        for path, error in _files([*places, *_taxonomy(settings), settings.model.folder])
        if (told := _closed(error) if error else _told_by(path, marks, spelled))
    ]
    return [*found, *_unseen(settings)]


def _taxonomy(settings: Settings) -> Iterator[Path]:
    """Yield the folder of a taxonomy of one's own: its examples may have been taken from reviews."""
    if settings.taxonomy is not None:
        named = settings.taxonomy
        yield named if named.is_dir() else named.parent


def _closed(error: Exception) -> str:
    return f"nobody knows, since it cannot be read ({error}): look yourself"


def _told_by(path: Path, marks: NDArray[np.uint64], spelled: set[str]) -> str:
    """Return what a file tells of the review; empty: nothing."""
    try:
        if path.name == KNOWN:
            return _HASH if _knows(path, marks) else ""
        readable = bool(spelled) and path.suffix not in _BINARY
        return _PAGE if readable and _holds(path, spelled) else ""
    except (OSError, ValueError, EOFError, MemoryError) as error:
        return _closed(error)


def _unseen(settings: Settings) -> Iterator[Trace]:
    """Yield what may hold something and cannot be looked into from here."""
    for cache, error in _file(settings.label.llm_cache):
        yield Trace(str(cache), _closed(error) if error else _ANSWERS)
    uri = settings.tracking.uri
    if uri is not None and settings.tracking.texts and _folder_of(settings) is None:
        yield Trace("REVIEWS_TRACKING__URI", "pages of comparisons that were sent with texts")


def _folder_of(settings: Settings) -> Path | None:
    """Return the folder of the records of trainings, if they go to one."""
    uri = settings.tracking.uri
    if uri is None:
        return None
    address = uri.get_secret_value().removeprefix("file://")
    return None if "://" in address else Path(address)


def _files(places: Iterable[Path]) -> Iterator[_Looked]:
    """Yield every file of these places once, and each place that we may not look into."""
    seen: set[Path] = set()
    for path, error in chain.from_iterable(map(_inside, places)):
        if path not in seen:
            seen.add(path)
            yield path, error


def _inside(place: Path) -> Iterator[_Looked]:
    """Yield a place that is a file, or the files of a folder. Links in a folder are not followed."""
    yield from _file(place)
    closed: list[OSError] = []
    for folder, folders, names in os.walk(place, onerror=closed.append):
        folders.sort()
        for name in sorted(names):
            yield from _file(Path(folder, name), follow=False)
    for error in closed:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            yield Path(error.filename), error


def _file(path: Path, *, follow: bool = True) -> Iterator[_Looked]:
    try:
        if path.is_file() and (follow or not path.is_symlink()):
            yield path, None
    except OSError as error:
        yield path, error


def _knows(path: Path, marks: NDArray[np.uint64]) -> bool:
    return bool(np.isin(marks, np.load(path, allow_pickle=False)).any())


def _holds(path: Path, spelled: set[str]) -> bool:
    """Tell whether a file holds a text. A large file is never in memory as a whole."""
    overlap = max(map(len, spelled)) * _LONGEST_SPELLING
    seen = ""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        while read := file.read(_READ_CHARS):
            seen = seen[-overlap:] + read
            pages = (seen, html.unescape(seen))
            if any(way in page for way in spelled for page in pages):
                return True
    return False


def _spellings(text: str) -> Iterator[str]:
    """Yield a text as it is, and as JSON and CSV spell it. HTML is read back instead."""
    for way in (text, text.replace("\r\n", "\n")):
        yield way
        yield json.dumps(way)[1:-1]
        yield json.dumps(way, ensure_ascii=False)[1:-1]
        yield way.replace('"', '""')
        yield guarded(way).replace('"', '""')
