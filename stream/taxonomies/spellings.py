"""Labels as people write them: with a group before them, with and without accents, misspelled."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

# "Group > Label", also of several levels; a slash or a comma stands within names as well, and a closing
# quotation mark after one.
_LEVELS: Final = re.compile(r">|(?<=\s)[»›](?=\s)|→|::")
_JOIN: Final = " > "
_ACCENTS: Final = re.compile(r"(?<=[a-z])[\u0300-\u036f]")
# A label of few texts that is so like one of many is probably that one, misspelled.
_ALIKE: Final = 0.9
_FEW: Final = 3
_TIMES_MORE: Final = 5
_MOST_COMPARED: Final = 200


def folded(label: str) -> str:
    """Return one form for the ways to write a label: case, blanks, blanks around ">", accents.

    Only Latin letters lose their marks: in Cyrillic a mark makes another letter.

    >>> folded("Vía  Pública >Baches") == folded("via publica > baches")
    True
    >>> folded("рой") == folded("рои")
    False
    """
    parted = unicodedata.normalize("NFKD", _JOIN.join(levels(label)).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", parted))


def levels(label: str) -> tuple[str, ...]:
    """Return the levels of a label, the general one first; one of an ordinary label.

    >>> levels("Vía pública > Baches")
    ('Vía pública', 'Baches')
    >>> levels("> 100 €")
    ('> 100 €',)
    >>> levels("Магазин «Ромашка» обувь")
    ('Магазин «Ромашка» обувь',)
    """
    whole = " ".join(label.split())
    parts = tuple(part.strip() for part in _LEVELS.split(whole))
    return parts if all(parts) else (whole,)


def groups_of(labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the group and the own name of each label that has both; of none if most have no group."""
    found = {
        label: (_JOIN.join(parts[:-1]), parts[-1])
        for label in labels
        if len(parts := levels(label)) > 1
    }
    return found if len(found) * 2 > len(labels) else {}


def misspelled(counts: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Return labels of few texts, each with the frequent one that it is probably meant to be."""
    rare = [label for label, count in counts.items() if count <= _FEW][:_MOST_COMPARED]
    forms = {label: folded(label) for label in counts}
    found = []
    for label in rare:
        others = [other for other in counts if counts[other] >= counts[label] * _TIMES_MORE]
        likeness = {other: _likeness(forms[label], forms[other]) for other in others}
        if likeness and likeness[best := max(likeness, key=likeness.__getitem__)] >= _ALIKE:
            found.append((label, best))
    return tuple(found)


def _likeness(one: str, other: str) -> float:
    """Return how alike two folded labels are, from 0 to 1; 0 as well if that is less than counts."""
    most = 2 * min(len(one), len(other)) / max(len(one) + len(other), 1)
    # Numbers and single letters tell labels apart: "Zone 1" is not a misspelled "Zone 2".
    if most < _ALIKE or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return 0.0
    # A thousand labels are as many pairs as take half a minute; letters in common are counted in no time.
    shared = (Counter(one) & Counter(other)).total()
    if 2 * shared / (len(one) + len(other)) < _ALIKE:
        return 0.0
    return SequenceMatcher(None, one, other).ratio()
