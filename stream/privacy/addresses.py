"""Street addresses, told by their form: a word for a kind of street, a name and a house number.

Each part of a pattern is bounded, so that an attempt costs the same wherever it is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stream.privacy.folding import UNMARKED

_DIGIT: Final = re.compile(r"[0-9]")
_GAP: Final = r"\s{0,3}+"
# An abbreviation means a street whatever follows; a whole word only before a name ("на улице 30
# градусов" is the weather), and so do abbreviations that mean other things, too.
_SHORT: Final = rf"(?i:ул|пр-?к?т|просп|пер|б-?р|наб|пр-д|мкрн?|м-н|кв-л)\b\.?{_GAP}"
_UNSURE: Final = rf"(?i:ш|пр|пл|ал|туп|бул|пос|дер|снт|тер)\b\.?{_GAP}"
_WORD: Final = (
    r"(?i:улиц(?:ей|[аеуы])|проспект[аеу]?|переулок|переулк[аеу]|бульвар[аеу]?|шоссе|набережн(?:ая|ой|ую)"
    r"|проезд[аеу]?|площад(?:ью|[ьи])|микрорайон[аеу]?|алле[яеию]|тупик[аеу]?|тракт[аеу]?|квартал[аеу]?"
    r"|посел(?:ок|ке)|посёл(?:ок|ке)|деревн[яеию])"
)
_ORDINAL: Final = r"(?:\d{1,3}-?(?:[а-я]{1,2})?\s{1,3}(?:лет\s{1,3})?)?+"
_NAME: Final = (
    rf"{_ORDINAL}(?:имени\s{{1,3}}|им\.{_GAP})?+(?:[А-ЯЁ]\.\s?)?+[А-ЯЁ][А-Яа-яЁё.-]{{1,30}}+"
    r"(?:\s{1,3}[А-ЯЁ][а-яё-]{1,30}+){0,2}+"
)
# Few words: the number of a house follows soon.
_ANY_NAME: Final = (
    rf"{_ORDINAL}[А-ЯЁа-яё][А-Яа-яЁё.-]{{1,30}}+(?:\s{{1,3}}[А-ЯЁа-яё][А-Яа-яЁё-]{{0,30}}+){{0,2}}?"
)
_FLAT: Final = r"(?i:квартир[аеыу]|кв|комната|комн|офис|оф|помещение|пом)"
_FLAT_NUMBER: Final = rf"{_FLAT}\b\.?{_GAP}(?:№{_GAP})?\d{{1,4}}(?!\w)"
_PART: Final = (
    r"(?i:корпус|корп|к|строение|стр|с|литера?|владение|подъезд|под|парадная|этаж|эт|домофон|участок|уч"
    rf"|{_FLAT})\b\.?{_GAP}(?:№{_GAP})?(?:\d{{1,4}}[а-яА-Я]?|[А-Яа-я])(?!\w)"
)
_PARTS: Final = rf"(?:\s{{0,2}}+[,;]?{_GAP}{_PART}){{0,5}}"
# "живу на Урале 5 лет" counts something.
_COUNTED: Final = (
    r"(?!\s{0,2}(?i:лет|год|дн[яей]|день|раз|мин|час|км|руб|шт|недел|месяц|человек|этаж|тыс|%|₽))"
)
_NUMBER: Final = (
    rf"\d{{1,4}}(?:\s?[/-]\s?\d{{1,4}}|к\d{{1,2}}){{0,2}}(?:\s?[А-Яа-я])?(?!\w){_COUNTED}"
)
_HOUSE_WORD: Final = rf"(?i:дом[ае]?|д|участок|уч|владение|вл)\b\.?{_GAP}(?:№{_GAP})?"
_HOUSE: Final = rf"\s{{0,2}}+[,.;-]?{_GAP}(?:{_HOUSE_WORD})?{_NUMBER}{_PARTS}"
_SURE_HOUSE: Final = rf"\s{{0,2}}+[,.;]?{_GAP}{_HOUSE_WORD}{_NUMBER}{_PARTS}"
_ADJECTIVE: Final = r"(?i:ий|ый|ое|ой|ая|яя|ом|ем|ую|ого|его|а)"
# What stands before a street: "630099, г. Томск, ".
_TOWN: Final = re.compile(
    UNMARKED
    + r"(?:\d{6}(?:,\s?|\s))?(?:(?:г|гор|город)\b\.?\s?[А-ЯЁ][А-Яа-яЁё-]{1,30}+(?:,\s?|\s))?\Z"
)
_TOWN_LENGTH: Final = 80
_PLACES: Final = r"(?i:\bадрес\w{0,3}|\bжив[уё]\w{0,2}|\bпрожива\w{1,4}|\bпривез\w{1,4}|\bприезжай\w{0,2}|\bдостав\w{1,6})"

_ADDRESS: Final = re.compile(
    UNMARKED + r"(?=\w)(?:"
    rf"{_SHORT}{_ANY_NAME}{_HOUSE}|{_SHORT}{_NUMBER}\s{{0,2}}+,?{_GAP}{_SURE_HOUSE}"
    rf"|{_UNSURE}{_NAME}{_HOUSE}|{_WORD}\s{{1,3}}{_NAME}{_HOUSE}"
    rf"|{_WORD}\s{{1,3}}{_ANY_NAME}{_SURE_HOUSE}"
    # "Невский проспект, 28", "3-я Парковая улица 5": the name first.
    rf"|{_ORDINAL}[А-ЯЁ][а-яё-]{{1,30}}{_ADJECTIVE}\s{{1,3}}(?:{_SHORT}|{_UNSURE}|{_WORD}){_HOUSE}"
    rf"|[а-яё-]{{2,30}}{_ADJECTIVE}\s{{1,3}}(?:{_SHORT}|{_WORD}){_SURE_HOUSE}"
    # "5 мкр, д. 3", "7-я линия, 12"
    rf"|\d{{1,2}}(?:-?[а-я]{{1,2}})?\s{{1,3}}(?:{_SHORT}|микрорайон[ае]?|квартал[ае]?){_SURE_HOUSE}"
    rf"|\d{{1,2}}-?[а-я]{{0,2}}\s{{1,3}}линия(?:\s{{1,3}}В\.?\s?О\.?)?{_HOUSE}"
    # "д. 5, кв. 12"; "Ленина 5, кв. 12"
    rf"|{_HOUSE_WORD}{_NUMBER}{_PARTS}\s{{0,2}}+,?{_GAP}{_FLAT_NUMBER}{_PARTS}"
    rf"|[А-ЯЁ][а-яё-]{{2,30}}+\s{{0,2}}+,?{_GAP}{_NUMBER}\s{{0,2}}+,?{_GAP}{_FLAT_NUMBER}{_PARTS}"
    rf"|(?i:подъезд[ае]?|домофон|код)\b\.?{_GAP}\d{{1,4}}{_PARTS}\s{{0,2}}+,?{_GAP}{_FLAT_NUMBER}{_PARTS}"
    r")"
)
# "живу на Гагарина 12", "адрес: Лесная, 7-15": a word says that a place follows.
_PLACE: Final = re.compile(
    rf"{_PLACES}[:,]?\s{{1,3}}(?:на\s{{1,3}}|по\s{{1,3}})?"
    rf"(?:(?:дом|мой)\s{{1,3}})?(?:[А-ЯЁ][а-яё-]{{1,30}},\s{{1,3}})?"
    rf"([А-ЯЁ][а-яё-]{{2,30}}\s{{0,2}},?\s{{0,3}}(?:{_HOUSE_WORD})?{_NUMBER}{_PARTS})"
)
_LATIN: Final = re.compile(
    UNMARKED + r"(?:ul|ulitsa|ulica|prospekt|pr-t|pereulok|per|street|st)\b\.?\s{0,3}"
    r"[A-Za-z][A-Za-z'-]{2,30}+(?:\s{1,3}[A-Za-z'-]{2,30}+)?,?\s{0,3}(?:(?:d|dom|house)\b\.?\s{0,3})?"
    r"\d{1,4}(?:[/-]\d{1,4})?[a-z]?(?!\w)(?:,?\s{0,3}(?:kv|korp|apt|flat)\b\.?\s{0,3}\d{1,4}(?!\w)){0,2}"
)


def find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield where street addresses stand in a folded text; those of one pattern do not overlap."""
    if _DIGIT.search(text) is None:
        return
    for found in _ADDRESS.finditer(text):
        start, end = found.span()
        town = _TOWN.search(text, max(0, start - _TOWN_LENGTH), start)
        yield (town.start() if town else start), end
    for found in _PLACE.finditer(text):
        yield found.span(1)
    for found in _LATIN.finditer(text):
        yield found.span()
