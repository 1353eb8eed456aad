"""How much of what is personal is masked, and how much is masked that is not, by kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

from stream.privacy import Kind, personal_parts

LISTS: Final = Path(__file__).parents[1] / "unit" / "privacy"
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Item:
    """A review, and where in it something personal stands."""

    kind: str
    text: str
    marked: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Measure:
    """Counts by kind."""

    items: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    """Items of which no letter and no figure is left."""
    masks: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    """Masks over nothing personal."""
    missed: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)

    def recall(self, kind: str) -> float:
        """Return the share of items that were masked."""
        return self.masked[kind] / self.items[kind]

    def precision(self, kind: str) -> float:
        """Return the share of masks that were over something personal."""
        return 1 - self.wrong[kind] / self.masks[kind]


def items(name: str) -> list[Item]:
    """Read a list of reviews in which something is marked."""
    return [_item(*line.split("\t")) for line in _lines(name)]


def plain_reviews() -> list[Item]:
    """Read the reviews in which nothing is personal."""
    return [Item("", line, ()) for line in _lines("plain.txt")]


def measure(reviews: list[Item]) -> Measure:
    """Mask reviews and count."""
    result = Measure()
    for review in reviews:
        found = personal_parts(review.text, KINDS)
        covered = {at for part in found for at in range(part.start, part.end)}
        for start, end in review.marked:
            result.items[review.kind] += 1
            if all(at in covered for at in range(start, end) if review.text[at].isalnum()):
                result.masked[review.kind] += 1
            else:
                result.missed.append(review.text)
        for part in found:
            result.masks[part.kind] += 1
            if not any(part.start < end and start < part.end for start, end in review.marked):
                result.wrong[part.kind] += 1
                result.mistaken.append(review.text)
    return result


def table() -> list[str]:
    """Return the rows of the guide's table: kind, masked, precision, masked of the unseen list."""
    known = measure([*items("personal.tsv"), *plain_reviews()])
    unseen = measure(items("personal_unseen.tsv"))
    rows = [
        f"| {kind} | {known.masked[kind]} of {known.items[kind]} | {known.precision(kind):.0%} "
        f"| {unseen.masked[kind]} of {unseen.items[kind]} |"
        for kind in KINDS
    ]
    right = 1 - sum(known.wrong.values()) / sum(known.masks.values())
    together = (
        f"| together | {known.masked.total()} of {known.items.total()} | {right:.1%} "
        f"| {unseen.masked.total()} of {unseen.items.total()} |"
    )
    return [*rows, together]


def _lines(name: str) -> Iterator[str]:
    for line in (LISTS / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), line)


def _item(kind: str, text: str) -> Item:
    marked, plain = [], ""
    for place, piece in enumerate(re.split("[⟦⟧]", text)):
        if place % 2:
            marked.append((len(plain), len(plain) + len(piece)))
        plain += piece
    return Item(kind, plain, tuple(marked))


if __name__ == "__main__":
    print("\n".join(table()))  # noqa: T201 - the result, for the guide
