"""Masking what tells who a person is: telephone numbers, e-mail, cards, street addresses, and more.

Patterns see a folded text (:mod:`stream.privacy.folding`) and what they find is masked in the text
as it was written; the rest of it stays as it is. Sizes, prices and ids stay. Names of people and
towns alone are not found: no pattern tells them from what a review says.

The time is linear in the length of a text: no pattern looks at a character more than a fixed number
of times. Whatever is very long should still be masked off the event loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from schemas import Review
from stream.privacy.addresses import find_addresses
from stream.privacy.contacts import find_emails, find_messenger_names
from stream.privacy.folding import Folded
from stream.privacy.kinds import ALWAYS, Kind
from stream.privacy.numbers import (
    Span,
    find_ibans,
    find_numbers,
    find_passports,
    find_spelled_phones,
)


@dataclass(frozen=True, slots=True)
class PersonalPart:
    """A stretch of a text that is personal."""

    start: int
    end: int
    kind: Kind


def redact(text: str, kinds: Iterable[Kind] = ALWAYS) -> str:
    """Return the text with ``[email]``, ``[card]``, ``[phone]``, ... in place of each. Idempotent."""
    parts, last = [], 0
    for part in personal_parts(text, kinds):
        parts += [text[last : part.start], f"[{part.kind}]"]
        last = part.end
    return "".join([*parts, text[last:]]) if parts else text


def personal_parts(text: str, kinds: Iterable[Kind] = ALWAYS) -> list[PersonalPart]:
    """Return what is personal in a text, in order; no two parts overlap."""
    wanted = frozenset(kinds)
    folded = Folded(text)
    found: list[PersonalPart] = []
    for search in _SEARCHES:
        hits = _apart(search(folded.text, wanted))
        found += [PersonalPart(*folded.written(*span), kind) for span, kind in hits]
        folded.hide([span for span, _ in hits])
    return sorted(found, key=lambda part: part.start)


def _apart(found: Iterable[tuple[Span, Kind]]) -> list[tuple[Span, Kind]]:
    """Of stretches that overlap keep the one that begins first."""
    kept: list[tuple[Span, Kind]] = []
    for span, kind in sorted(found, key=lambda hit: (hit[0][0], -hit[0][1])):
        if not kept or span[0] >= kept[-1][0][1]:
            kept.append((span, kind))
    return kept


def _of_kind(
    kind: Kind, find: Callable[[str], Iterator[Span]]
) -> Callable[[str, frozenset[Kind]], Iterator[tuple[Span, Kind]]]:
    def search(text: str, wanted: frozenset[Kind]) -> Iterator[tuple[Span, Kind]]:
        return ((span, kind) for span in find(text)) if kind in wanted else iter(())

    return search


# In this order: what an earlier search has found no later one sees.
_SEARCHES: Final = (
    _of_kind("email", find_emails),
    _of_kind("messenger", find_messenger_names),
    _of_kind("account", find_ibans),
    _of_kind("passport", find_passports),
    find_numbers,
    _of_kind("phone", find_spelled_phones),
    _of_kind("address", find_addresses),
)


def redacted_review(review: Review, kinds: Iterable[Kind] = ALWAYS) -> Review:
    """Return the review with its text and the producer's own fields redacted; its id stays."""
    return review.model_copy(
        update={
            "text": redact(review.text, kinds),
            "metadata": {name: redact(value, kinds) for name, value in review.metadata.items()},
        }
    )


def redacted_message(value: bytes | None, kinds: Iterable[Kind] = ALWAYS) -> bytes | None:
    """Redact a message that may be anything.

    Of a JSON object all strings and numbers but ``review_id`` are redacted, so that it can still be
    sent again; of anything else whatever is readable. What holds nothing personal stays byte for
    byte.
    """
    if value is None:
        return None
    text = value.decode("utf-8", "surrogateescape")
    try:
        event = json.loads(text)
        masked = _redacted_part(event, kinds)
    except (ValueError, RecursionError):  # no JSON, or nested to break whoever reads it
        event = masked = None
    if not isinstance(event, dict):
        return redact(text, kinds).encode("utf-8", "surrogateescape")
    # ASCII: a lone surrogate in the message must not stop its partition.
    return value if masked == event else json.dumps(masked).encode()


def _redacted_part(part: Any, kinds: Iterable[Kind]) -> Any:
    match part:
        case str():
            return redact(part, kinds)
        case bool():
            return part
        case int() | float():
            written = str(part)
            masked = redact(written, kinds)
            return part if masked == written else masked
        case list():
            return [_redacted_part(item, kinds) for item in part]
        case dict():
            return {
                redact(name, kinds): value if name == "review_id" else _redacted_part(value, kinds)
                for name, value in part.items()
            }
        case _:
            return part
