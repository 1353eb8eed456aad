"""Telephone, card, passport, SNILS and account numbers: groups of digits and what stands between.

A number is told by its digits, by how they are grouped and by the words before it. Each group is
looked at once together with at most the next twenty digits: the time grows as the text does.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from stream.privacy.folding import BARRIER, UNMARKED
from stream.privacy.kinds import Kind

Span = tuple[int, int]

# What may stand between two groups of one number: up to five marks, none that begins another one.
_RUN: Final = re.compile(
    rf"(?<![A-Za-z0-9])[0-9]++(?:(?:[^\w\n+@#%€$₽={BARRIER}]|_){{1,5}}+[0-9]++)*+"
)
_GROUP: Final = re.compile(r"[0-9]++")
_LEAD: Final = re.compile(r"[+(][ +(]{0,2}\Z")
# In "8-9OO-l23-З4" letters stand for figures that look like them.
_LETTERS: Final = re.compile(r"(?<=[0-9])[OoОоlI]{1,3}+(?![^\W\d_])|(?<=[0-9-])[Зз](?=[0-9])")
_FIGURES: Final = str.maketrans("OoОоlIЗз", "00001133")
_IN_IDS: Final = string.digits + string.ascii_lowercase
_LONGEST: Final = 20
"""Digits of the longest number that is looked for: a bank account's."""
_BEFORE: Final = 40
"""Characters before a number in which a word may say what it is."""


def _about(words: str) -> re.Pattern[str]:
    """Match a text whose last words are about something, whatever marks and words follow them."""
    return re.compile(rf"(?<![^\W\d_])(?:{words})[^\d\n{BARRIER}]{{0,18}}\Z", re.IGNORECASE)


_PHONE_WORDS: Final = _about(
    r"тел(?:ефон\w{0,3})?\b|звон\w{0,6}|набер\w{1,5}|моб(?:ильн\w{1,3})?\b|сот(?:ов\w{1,3})?\b"
    r"|whats\s?app|в[ао]тс\w{1,5}|вайбер\w{0,2}|viber|телеграм\w{0,3}|telegram|sms\b"
    r"|смс\w{0,3}|мой\s+номер\b|номер\w{0,2}:|номер\w{0,2}\s+телефон\w{0,3}|факс\b"
    r"|контакт\w{0,3}|tel\b|phone\b|call\b"
)
_CARD_WORDS: Final = _about(r"карт[аыуео]\w{0,2}|card\b|visa\b|виза\b|mastercard\b|сбер\w{0,6}")
_PASSPORT_WORDS: Final = _about(r"(?:загран)?паспорт\w{0,6}|загран\b|сери[яию]\b|passport\b")
_SNILS_WORDS: Final = _about(r"снилс\w{0,2}|snils\b|страхово\w{1,3}\s+\w{1,14}")
_ACCOUNT_WORDS: Final = _about(r"сч[её]т\w{0,3}|[ркл]/с|account\b|р\.\s?с\b")

_UNITS: Final = "ноль нуль один одна два две три четыре пять шесть семь восемь девять десять"
_SPELLED_NUMBERS: Final = sorted(
    f"{_UNITS} одиннадцать двенадцать тринадцать четырнадцать пятнадцать шестнадцать семнадцать "
    "восемнадцать девятнадцать двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят "
    "девяносто сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот".split(),
    key=len,
    reverse=True,
)
_WORD: Final = rf"(?>{'|'.join(_SPELLED_NUMBERS)})\b"
# Fewer words are a price or a count: "тысяча двести сорок пять".
_SPELLED: Final = re.compile(rf"\b{_WORD}(?:[\s,.-]{{1,3}}+{_WORD}){{6,40}}+")

# Chart of accounts of the Bank of Russia: the account of a person or a firm, and its currency.
_RUSSIAN_ACCOUNT: Final = re.compile(r"4[0-2][0-9]{3}(?:810|643|840|978|156)[0-9]{12}")
_SERIES: Final = re.compile(
    r"\bсери[яию]\W{1,3}[0-9]{2}\s?[0-9]{2}\W{1,3}(?:номер|№|N)\W{0,3}[0-9]{6}(?!\w)", re.IGNORECASE
)
_IBAN: Final = re.compile(
    UNMARKED + r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"
)


class _Run:
    """Groups of digits with nothing but marks between them.

    Args:
        text: folded.
        spans: where its groups stand.
    """

    def __init__(self, text: str, spans: list[Span]) -> None:
        self.text = text
        self.spans = spans
        self.digits = "".join([text[start:end] for start, end in spans])
        self.sizes = [end - start for start, end in spans]
        self.begins = [0, *accumulate(self.sizes)]
        self.groups_before = {digits: count for count, digits in enumerate(self.begins)}


class _Groups:
    """The groups of a run from one of them on: what may be one number begins with the first."""

    def __init__(self, run: _Run, at: int) -> None:
        self._run, self._at = run, at
        self.digits = run.digits[run.begins[at] : run.begins[at] + _LONGEST]
        start = run.spans[at][0]
        found = _LEAD.search(run.text, max(0, start - 3), start)
        self.start = found.start() if found else start
        self.lead = found[0] if found else ""
        """The plus or bracket that belongs to the number."""

    def upto(self, digits: int) -> int:
        """Return how many groups have so many digits together; 0: none."""
        end = self._run.groups_before.get(self._run.begins[self._at] + digits)
        return 0 if end is None else end - self._at

    def sizes(self, taken: int) -> tuple[int, ...]:
        """Return how long the first groups are."""
        return tuple(self._run.sizes[self._at : self._at + taken])

    def marks(self, taken: int) -> str:
        """Return all that stands between the first groups."""
        spans = self._run.spans[self._at : self._at + taken]
        return "".join(self._run.text[left[1] : right[0]] for left, right in pairwise(spans))

    def says(self, words: re.Pattern[str]) -> bool:
        """Tell whether words before the number say what it is; never, if digits stand between."""
        start = max(0, self.start - _BEFORE)
        return self._at == 0 and words.search(self._run.text, start, self.start) is not None


def find_numbers(text: str, kinds: frozenset[Kind]) -> Iterator[tuple[Span, Kind]]:
    """Yield the numbers of these kinds in a folded text, in order; no two overlap."""
    if _GROUP.search(text) is None:
        return
    checks = [(kind, check) for kind, check in _CHECKS if kind in kinds]
    read = _LETTERS.sub(lambda letters: letters[0].translate(_FIGURES), text)
    for run in _RUN.finditer(read):
        start, end = run.span()
        if end - start < _SHORTEST or _follows_an_id(read, start):
            continue
        spans = [group.span() for group in _GROUP.finditer(read, start, end)]
        if read[end : end + 1].isascii() and read[end : end + 1].isalpha():
            spans.pop()  # "5b1c": its figure belongs to a word
        at, numbers = 0, _Run(read, spans)
        while at < len(spans):
            groups = _Groups(numbers, at)
            taken, kind = next(
                ((taken, kind) for kind, check in checks if (taken := check(groups))), (0, None)
            )
            if kind is not None:
                yield (groups.start, spans[at + taken - 1][1]), kind
            at += taken or 1


def _follows_an_id(text: str, start: int) -> bool:
    """Tell whether an id of letters and digits, and a dash, stand before: so ends a UUID's part."""
    before = text[max(0, start - _BEFORE) : start]
    if not before.endswith(("-", "_")):
        return False
    before = before[:-1]
    last = before[len(before.rstrip(_IN_IDS)) :]
    return not (last.isdigit() or last.isalpha() or not last)


def find_spelled_phones(text: str) -> Iterator[Span]:
    """Yield telephone numbers that are written in words."""
    lowered = text.lower()
    # Russian numbers hold one of these; most texts do not, and this is the quickest look.
    if len(lowered) == len(text) and any(stem in lowered for stem in ("девя", "восем", "семь")):
        for found in _SPELLED.finditer(lowered):
            yield found.span()


def find_passports(text: str) -> Iterator[Span]:
    """Yield passports with a word before each part: "серия 4512 номер 345678"."""
    return (found.span() for found in _SERIES.finditer(text))


def find_ibans(text: str) -> Iterator[Span]:
    """Yield international account numbers (ISO 13616), told by their check digits."""
    return (found.span() for found in _IBAN.finditer(text) if _is_iban(found[0].replace(" ", "")))


_SHORTEST: Final = 5
_RUSSIAN: Final = 11
"""Digits of a Russian number with its +7 or 8."""
_WORLD: Final = range(15, 10, -1)
"""Digits of any country's number, the longest first (ITU-T E.164)."""


class _Network(NamedTuple):
    begins: re.Pattern[str]
    lengths: tuple[int, ...]
    """Of its cards' numbers, the longest first."""


# What a card's number begins with, and its length. A telephone's IMEI has fifteen digits and passes
# Luhn's test as well; the only cards of that length begin with 34 and 37.
_NETWORKS: Final = (
    _Network(re.compile("3[47]"), (15,)),
    _Network(re.compile("3[0689]"), (19, 18, 17, 16, 14)),
    _Network(re.compile("4"), (19, 16, 13)),
    _Network(re.compile("[256]|35"), (19, 18, 17, 16)),
)
_PASSPORTS: Final = ((2, 2, 6), (4, 6), (10,), (2, 2, 3, 3), (4, 3, 3), (2, 7), (9,))


def _phone(groups: _Groups) -> int:
    """Return how many groups are a telephone number; 0: they are not one."""
    digits = groups.digits
    if "+" in groups.lead:
        counts = (_RUSSIAN,) if digits[0] == "7" else _WORLD
        return next((taken for count in counts if (taken := groups.upto(count))), 0)
    taken = groups.upto(_RUSSIAN)
    coded = taken and digits[0] in "78" and digits[1] in "34589"
    if coded and (_has_a_code(groups, taken) or groups.says(_PHONE_WORDS)):
        return taken
    taken = groups.upto(_RUSSIAN - 1)
    coded = taken and digits[0] in "3489"
    if coded and (_has_no_prefix(groups, taken) or groups.says(_PHONE_WORDS)):
        return taken
    return _local_phone(groups)


def _local_phone(groups: _Groups) -> int:
    """Return the groups of a number within a town after a word for it: 123-45-67, 2-12-12."""
    for count in (7, 6, 5):
        taken = groups.upto(count)
        if taken and (count == 7 or taken > 1) and groups.says(_PHONE_WORDS):  # noqa: PLR2004
            return taken
    return 0


def _has_a_code(groups: _Groups, taken: int) -> bool:
    """Tell whether groups are those of a number with 8 or 7: sizes of clothes in a row are not."""
    sizes = groups.sizes(taken)
    if taken == 1 or max(sizes) == 1 or ")" in groups.marks(taken):
        return True
    rest = sizes[1:] if sizes[0] == 1 else (sizes[0] - 1, *sizes[1:])
    return rest[0] in {3, 10} and min(rest) > 1


def _has_no_prefix(groups: _Groups, taken: int) -> bool:
    """Tell whether groups are those of a number without 8: (912) 345-67-89, 912 345-67-89."""
    sizes, marks = groups.sizes(taken), groups.marks(taken)
    if "(" in groups.lead and ")" in marks:
        return sizes[0] in {3, 4, 5}
    return sizes == (3, 3, 2, 2) and (groups.digits[0] == "9" or "-" in marks)


def _card(groups: _Groups) -> int:
    """Return the groups of a payment card: Luhn's check digit (ISO/IEC 7812-1, annex B)."""
    for network in _NETWORKS:
        if network.begins.match(groups.digits) is None:
            continue
        for count in network.lengths:
            taken = groups.upto(count)
            if taken and _is_shaped_as_card(groups, taken) and _passes_luhn(groups.digits[:count]):
                return taken
    return 0


def _is_shaped_as_card(groups: _Groups, taken: int) -> bool:
    sizes = groups.sizes(taken)
    if sizes == (13,) and _is_barcode(groups.digits[:13]):
        return groups.says(_CARD_WORDS)
    # Sizes of clothes in a row have two digits each.
    return taken == 1 or max(sizes) == 1 or min(sizes[:-1]) > 2 or groups.says(_CARD_WORDS)  # noqa: PLR2004


def _passport(groups: _Groups) -> int:
    """Return the groups of a Russian passport: series and number, after a word for it."""
    for count in (10, 9):
        taken = groups.upto(count)
        if groups.sizes(taken) in _PASSPORTS and groups.says(_PASSPORT_WORDS):
            return taken
    return 0


def _snils(groups: _Groups) -> int:
    """Return the groups of a pension fund's number: its check sum, or a word before it."""
    taken = groups.upto(11)
    if not taken:
        return 0
    shaped = groups.sizes(taken) in {(3, 3, 3, 2), (9, 2)}
    known = shaped and _has_the_check_sum_of_a_snils(groups.digits)
    return taken if known or groups.says(_SNILS_WORDS) else 0


def _account(groups: _Groups) -> int:
    """Return the groups of a bank account: a Russian one's form, or a word before it."""
    taken = groups.upto(_LONGEST)
    if not taken:
        return 0
    known = _RUSSIAN_ACCOUNT.fullmatch(groups.digits) is not None
    return taken if known or groups.says(_ACCOUNT_WORDS) else 0


# The more digits and the more that is asked of them, the earlier.
_CHECKS: Final[tuple[tuple[Kind, Callable[[_Groups], int]], ...]] = (
    ("account", _account),
    ("snils", _snils),
    ("passport", _passport),
    ("card", _card),
    ("phone", _phone),
)


def _has_the_check_sum_of_a_snils(digits: str) -> bool:
    total = sum(int(digit) * (9 - place) for place, digit in enumerate(digits[:9]))
    return total % 101 % 100 == int(digits[9:11])


def _passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _is_barcode(digits: str) -> bool:
    """Tell the number of a product by its check digit (EAN-13, GS1 General Specifications 7.9)."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return weighted % 10 == 0


def _is_iban(written: str) -> bool:
    moved = written[4:] + written[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
