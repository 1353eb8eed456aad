"""Which column holds what: by its name, in Russian or English, or by what stands in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from stream.errors import InputError
from stream.listing import some

Role = Literal["text", "title", "pros", "cons", "id", "date", "rating", "label"]

# Each list in the order of certainty: where a table has two of them, the first is meant.
_NAMES: Final[Mapping[Role, tuple[str, ...]]] = {
    "text": (
        "text", "review text", "text review", "review body", "comment text", "feedback text",
        "review content", "review comment", "comment body", "message text", "full text", "body text",
        "текст отзыва", "текст комментария", "отзыв текст", "текст отзыва покупателя",
        "текст обращения", "текст сообщения", "текст", "содержание отзыва", "отзыв покупателя",
        "комментарий покупателя", "комментарий клиента", "отзыв клиента", "отзыв о товаре",
        "ваш отзыв о товаре", "ваш отзыв", "ваш комментарий", "отзыв", "отзывы", "комментарий", "комментарии", "содержание", "содержимое",
        "review", "reviews", "comment", "comments", "feedback", "body", "content", "message",
        "opinion", "сообщение", "мнение", "обращение", "sentence", "data",
    ),
    "title": ("review title", "review headline", "review summary", "заголовок отзыва", "тема отзыва"),
    "pros": (
        "pros", "advantages", "advantage", "pluses", "plus", "review pros", "positive review",
        "достоинства", "достоинства товара", "достоинство", "плюсы", "преимущества",
        "что понравилось", "понравилось",
    ),
    "cons": (
        "cons", "disadvantages", "disadvantage", "minuses", "minus", "review cons",
        "negative review", "недостатки", "недостатки товара", "недостаток", "минусы",
        "что не понравилось", "не понравилось",
    ),
    "id": (
        "review id", "id review", "feedback id", "comment id", "id", "uuid", "guid", "review uuid",
        "feedback uuid", "review key", "external id", "id отзыва", "отзыв id", "ид отзыва",
        "номер отзыва", "№ отзыва", "идентификатор отзыва", "код отзыва", "uuid отзыва",
        "id комментария", "номер комментария", "ticket id", "ticket number", "ticket no", "case id",
        "case number", "issue key", "message id", "номер обращения", "номер заявки", "id обращения",
        "идентификатор", "ид", "key", "номер",
    ),
    "date": (
        "created at", "review date", "published at", "created date", "date created", "creation date",
        "publication date", "date", "date time", "datetime", "created", "published", "posted at",
        "submission date", "review time", "opened at", "opened", "received at", "sent at", "timestamp", "time", "дата отзыва", "дата публикации",
        "дата создания", "отметка времени", "дата публикации отзыва", "дата и время", "дата и время отзыва", "дата",
        "опубликован", "создан",
    ),
    "rating": (
        "rating", "stars", "star rating", "review rating", "score", "grade", "rate", "mark",
        "product valuation", "valuation", "оценка", "оценка товара", "оценка покупателя",
        "количество звезд", "звезды", "число звезд", "рейтинг", "балл", "баллы", "оценка отзыва",
    ),
    "label": (
        "category", "category id", "label text", "label name", "label", "labels", "label id", "intent",
        "intents", "intent name", "class name", "class", "target", "choice", "topic",
        "категория", "id категории", "категория товара", "метка", "класс", "интент", "намерение",
        "название категории", "тематика", "рубрика",
    ),
}  # fmt: skip
# The words of a review, in the order in which they are joined.
_WORDS: Final[tuple[Role, ...]] = ("title", "text", "pros", "cons")
_LONGEST_NAME: Final = 80


def plain(name: str) -> str:
    """Return a name without case, marks and spaces, by which spellings of it are one.

    >>> plain("ReviewId") == plain("review_id") == plain(" Review ID:")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е")
    return "".join(c for c in folded if c.isalnum() or c == "№")


_RANKS: Final[Mapping[str, tuple[Role, int]]] = {
    plain(name): (role, rank) for role, names in _NAMES.items() for rank, name in enumerate(names)
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table are what.

    Attributes:
        text: those whose words are the review, in the order in which they are joined.
        id: those that may name a review; the first that is not empty does.
        date: likewise, when it was written.
        label: likewise, its category.
        rating: whose values are numbers; kept as they are.
        others: how the columns without a part in this are called.
        guessed: there were no names: the columns were told by what is in them.
    """

    text: tuple[str, ...]
    id: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    rating: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def known(self) -> int:
        """How many columns are known: of two rows that may be a header, the better one has more."""
        roles = (self.id, self.date, self.rating, self.label)
        return 2 * len(self.text) + sum(map(bool, roles))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Columns as somebody named them on the command line; they win over what is known.

    Attributes:
        text: to be joined.
        id: that names a review.
        label: with its category.
        needs_text: a table without a text is none that we could read.
    """

    text: tuple[str, ...] = ()
    id: str | None = None
    label: str | None = None
    needs_text: bool = True

    def __bool__(self) -> bool:
        return bool(self.text or self.id or self.label)


def role_of(name: str) -> tuple[Role, int] | None:
    """Return what a column of this name holds and how certain the name is (0 is the most)."""
    if len(name) > _LONGEST_NAME:
        return None
    whole = plain(name)
    if found := _RANKS.get(whole):
        return found
    # "data.review.text", "reviews.text": the last part names it.
    last = plain(re.split(r"[./]", name)[-1]) if re.search(r"[./]", name) else whole
    found = _RANKS.get(last)
    return None if found is None or last == whole else (found[0], found[1] + 100)


def known_columns(names: Sequence[str], wanted: Wanted = Wanted()) -> Columns | None:
    """Return the columns of a table with these names, None where no name tells the text.

    Raises:
        InputError: a wanted column is not there.
    """
    by_role: dict[Role, list[tuple[int, int, str]]] = {}
    for position, name in enumerate(names):
        if found := role_of(name):
            by_role.setdefault(found[0], []).append((found[1], position, name))
    ranked = {role: [name for _, _, name in sorted(found)] for role, found in by_role.items()}
    if wanted.text:
        text = tuple(_named(name, names) for name in wanted.text)
    else:
        text = tuple(ranked[role][0] for role in _WORDS if role in ranked)
        if text and {role for role in _WORDS if role in ranked} == {"title"}:
            text = ()
    if not text and (wanted.needs_text or not by_role):
        return None
    ids = (_named(wanted.id, names),) if wanted.id else tuple(ranked.get("id", ()))
    labels = (_named(wanted.label, names),) if wanted.label else tuple(ranked.get("label", ()))
    return Columns(
        text,
        tuple(name for name in ids if name not in text),
        tuple(name for name in ranked.get("date", ()) if name not in text),
        tuple(name for name in labels if name not in text),
        tuple(name for name in ranked.get("rating", ()) if name not in text),
    )


def _named(wanted: str, names: Sequence[str]) -> str:
    """Return the column that somebody named: as it is written, by its plain name, or by its number."""
    if wanted in names:
        return wanted
    alike = [name for name in names if plain(name) == plain(wanted) and plain(wanted)]
    if len(alike) == 1:
        return alike[0]
    # Not isdecimal() alone: int() refuses thousands of digits.
    is_number = wanted.isdecimal() and len(wanted) <= len(str(len(names)))
    if is_number and 1 <= int(wanted) <= len(names):
        return names[int(wanted) - 1]
    raise InputError(
        f"there is no column {wanted!r}; there are {listed(names)}", "name one of these"
    )


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names as a message shows them."""
    return some([f"«{name}»" for name in names if name], most) or "nothing"


def unique_names(cells: Sequence[str]) -> list[str]:
    """Return a header's cells as names that are neither empty nor twice the same."""
    names: list[str] = []
    taken: set[str] = set()
    for position, cell in enumerate(cells, start=1):
        name = " ".join(cell.split()) or f"column {position}"
        while name in taken:
            name += f" ({position})"
        taken.add(name)
        names.append(name)
    return names


# What a table without names holds is told by so many of its rows.
_WORDY: Final = 2.0
_SHORT_ID: Final = 64


def guess_columns(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Columns | None:
    """Return the columns of a table without names: the wordiest is the text, a key is the id."""
    if not rows or not names:
        return None
    columns = [[row[i] for row in rows if i < len(row)] for i in range(len(names))]
    wordy = [_words(cells) for cells in columns]
    best = max(range(len(names)), key=lambda i: wordy[i])
    if wordy[best] < _WORDY and len(names) > 1:
        return None
    key = next((i for i, cells in enumerate(columns) if i < best and _is_key(cells)), None)
    return Columns((names[best],), () if key is None else (names[key],), guessed=True)


def _words(cells: Sequence[str]) -> float:
    """Return how many words a cell holds on average."""
    return sum(len(re.findall(r"[^\W\d_]{2,}", cell)) for cell in cells) / max(1, len(cells))


def _is_key(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return (
        len(filled) == len(cells)
        and len(set(cells)) == len(cells)
        and all(len(cell) <= _SHORT_ID and " " not in cell.strip() for cell in cells)
    )


def below_titles(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Return the first rows of a table without what stands alone above it: its name, a date."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    full = max(filled, default=0)
    return rows[next((i for i, count in enumerate(filled) if 2 * count >= full), 0) :]


def looks_like_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row of a table names columns that we do not know."""
    cells = [cell.strip() for cell in first]
    if not all(cells) or len(set(cells)) != len(cells) or not rest:
        return False
    if any(len(c) > _LONGEST_NAME // 2 or _is_said(c) for c in cells):
        return False
    below = [[row[i] for row in rest if i < len(row)] for i in range(len(cells))]
    return any(
        all(re.search(r"\d", value) for value in values if value.strip())
        or _words(values) > _WORDY * max(1.0, _words([cell]))
        for cell, values in zip(cells, below, strict=True)
        if any(value.strip() for value in values)
    )


def _is_said(cell: str) -> bool:
    """Tell whether a cell is a sentence or a value rather than a name."""
    # One word may end with a dot: "Meldungsnr.".
    ends = cell.endswith(("!", "?")) or (cell.endswith(".") and len(cell.split()) > 1)
    return ends or re.search(r"\d|[,;] ", cell) is not None


# A survey's second row, and the third of another: what is asked, and how the answer is kept.
_BELOW_HEADERS: Final = frozenset(
    map(plain, ("open-ended response", "response", "open ended response", "развернутый ответ"))
)
_IMPORT_ID: Final = '{"ImportId":'
_MOST_BELOW: Final = 2
_ROWS_TO_TELL: Final = 3


def header_rows_below(columns: Columns, names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many of the rows below a header go on with it: questions, units, names once more."""
    for number, cells in reversed(list(enumerate(rows[:_MOST_BELOW], start=1))):
        if any(cell.startswith(_IMPORT_ID) for cell in cells):
            return number
    typed = {*columns.id, *columns.date, *columns.rating}
    places = [place for place, name in enumerate(names) if name in typed]
    count = 0
    for cells in rows[:_MOST_BELOW]:
        if not _goes_on(cells, rows[count + 1 :], places):
            break
        count += 1
    return count


def _goes_on(cells: Sequence[str], rest: Sequence[Sequence[str]], places: Sequence[int]) -> bool:
    """Tell whether a row has words where each of the others has a number or a date."""
    filled = [cell for cell in cells if cell.strip()]
    if not filled or any(len(cell) > _LONGEST_NAME for cell in filled):
        return False
    if all(plain(cell) in _BELOW_HEADERS for cell in filled):
        return True
    here = [place for place in places if place < len(cells) and cells[place].strip()]
    if not here or any(re.search(r"\d", cells[place]) for place in here):
        return False
    below = [
        [row[place] for row in rest if place < len(row) and row[place].strip()] for place in here
    ]
    return all(
        len(values) >= _ROWS_TO_TELL and all(re.search(r"\d", value) for value in values)
        for values in below
    )


def repeats_names(fields: Mapping[str, object]) -> bool:
    """Tell whether a row is the header once more, as where one table was put below another.

    >>> repeats_names({"id": "ID", "text": "text", "text (3)": "text", "column 4": None})
    True
    """
    return any(fields.values()) and all(
        isinstance(cell, str) and plain(cell) in {plain(name), plain(name.rpartition(" (")[0])}
        for name, cell in fields.items()
        if cell not in ("", None) or not name.startswith("column ")
    )
