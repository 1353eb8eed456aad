"""What still tells of an erased review: pages with its text, hashes of it, and places we cannot look into.

None of it is changed here. A page is made anew or deleted by whoever made it; a model's hashes belong to
what its version is a digest of.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stream.model_folder import KNOWN
from stream.settings import Settings
from stream.text import fingerprint

# Graphs, weights, pictures: no text stands in them as it was written.
_BINARY: Final = frozenset({".onnx", ".safetensors", ".bin", ".npy", ".npz", ".png", ".jpg", ".pt"})
_MOST_BYTES: Final = 64 * 1024 * 1024
# A shorter text stands by chance in any page.
_LEAST_CHARS: Final = 8
_DIGITS: Final = 16


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
    marks = {int(fingerprint(text)[:_DIGITS], 16) for text in normalized}
    wanted = [text for text in texts if len(text) >= _LEAST_CHARS]
    tracked = _folder_of(settings)
    places = [learning.runs, learning.registry, *([tracked] if tracked else []), *look_in]
    found: list[Trace] = []
    for path in _files([*places, settings.model.folder]):
        if path.name == KNOWN:
            if _knows(path, marks):
                found.append(Trace(str(path), _HASH))
        elif wanted and _holds(path, wanted):
            found.append(Trace(str(path), _PAGE))
    return [*found, *_unseen(settings)]


_HASH: Final = (
    "a 64-bit hash of its text, from which no text can be read: it goes with the model and with those "
    "that were trained from it"
)
_PAGE: Final = "its text: delete the file, or make it anew"


def _unseen(settings: Settings) -> Iterator[Trace]:
    """Yield what may hold something and cannot be looked into from here."""
    cache = settings.label.llm_cache
    if cache.exists():
        yield Trace(
            str(cache),
            "answers of an LLM under digests that its text is in; delete it to forget them",
        )
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


def _files(places: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in seen:
                seen.add(path)
                yield path


def _knows(path: Path, marks: set[int]) -> bool:
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return False
    return bool(np.isin(np.array(sorted(marks), dtype=np.uint64), kept).any())


def _holds(path: Path, texts: Iterable[str]) -> bool:
    """Tell whether a file holds a text, as it is, or as HTML or JSON spell it."""
    try:
        if path.suffix in _BINARY or path.stat().st_size > _MOST_BYTES:
            return False
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    pages = (content, html.unescape(content))
    return any(spelled in page for text in texts for spelled in _spellings(text) for page in pages)


def _spellings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
