"""What a fuzzer feeds, and what must hold whatever it feeds: nothing raises but what is documented.

Each target takes bytes. :mod:`tests.faults.fuzz_guided` feeds those that reach new code; a unit test
feeds a few.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final, get_args

from schemas import CategorizedReview, RelabelTask, Review, decode, encode
from schemas.errors import ContractError
from stream.errors import ReviewsError
from stream.files import BadRow, Format, Options, derived_id, open_reviews
from stream.privacy import Kind, personal_parts, redact
from stream.terminal import blanked, visible
from stream.text import normalize

_EVENTS: Final = (Review, RelabelTask, CategorizedReview)
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def decoding(data: bytes) -> None:
    """An event is refused with a reason, or it is the same after it was written and read again."""
    for event_type in _EVENTS:
        try:
            event = decode(event_type, data)
        except ContractError as error:
            _hold(bool(str(error)), "a refusal without a reason")
        else:
            _hold(decode(event_type, encode(event)) == event, "another event when read again")


def masking(data: bytes) -> None:
    """What is masked lies in the text, apart and in order; masking once more finds nothing."""
    text = data.decode("utf-8", "replace")
    parts = personal_parts(text, _KINDS)
    _hold(all(0 <= part.start < part.end <= len(text) for part in parts), "outside of the text")
    _hold(all(a.end <= b.start for a, b in pairwise(parts)), "parts overlap")
    masked = redact(text, _KINDS)
    _hold(redact(masked, _KINDS) == masked, "masking once more finds more")


def normalising(data: bytes) -> None:
    """A text is folded to one that a tokenizer reads, and that is not much longer."""
    text = data.decode("utf-8", "replace")
    folded = normalize(text)
    # NFKC makes at most 18 characters of one (U+FDFA); a run of them is folded to fewer.
    _hold(len(folded) <= 18 * len(text) + 18, "much longer than the text")
    _hold(not any(c < " " for c in folded), "a control character is left")
    _hold(folded == folded.strip(), "white space around")


def printing(data: bytes) -> None:
    """Nothing that a terminal obeys is left."""
    text = data.decode("utf-8", "surrogateescape")
    for shown in (visible(text, one_line=True), blanked(text)):
        _hold(not any(c < " " or "\x7f" <= c < "\xa0" for c in shown), "a control character")
        shown.encode()


def reading_files(data: bytes) -> None:
    """Every row of a file is a review or says what is wrong with it, or the file is refused."""
    for kind in get_args(Format):
        try:
            with open_reviews(Path("fuzz"), Options(kind), io.BytesIO(data)) as file:
                rows = list(file)
        except ReviewsError as error:
            _hold(bool(error.message), "a refusal without a reason")
            continue
        for row in rows:
            if not isinstance(row, BadRow):
                row.to_review(row.review_id or derived_id(row.text))


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "decode": decoding,
    "mask": masking,
    "normalise": normalising,
    "print": printing,
    "files": reading_files,
}
SEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "decode": (
        '{"schema_version": 1, "review_id": "r-1", "text": "Сапоги", "metadata": {"stars": "5"}}',
        '{"review": {"review_id": "1", "text": "т"}, "created_at": "2026-01-01T00:00:00Z"}',
    ),
    "mask": (
        "8 (912) 345-67-89, a.b@c.ru", "4111 1111 1111 1111 ул. Ленина, д. 5, кв. 3", "t.me/abc",
        "паспорт серия 4512 номер 345678", "восемь девятьсот двенадцать", "40817810099910004312",
    ),
    "normalise": (
        "&amp;quot; <b>x</b> \\u0041 \\n", "п р и в е т", "C@пoги ёЁё!!!! 👩‍👩‍👧", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚",
    ),
    "print": ("\x1b[31m", "\u202e\u009b2J", "а\tб\n"),
    "files": (
        'id,text\n1,"a ""b"" c"\n2,х\n', "review_id;text;shop\n1;т;с\n", '{"text": "т", "id": 1}\n',
        "строка\nещё строка\n",
    ),
}  # fmt: skip


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
