"""In which encoding a text file is written: by its mark, by its shape, or by its letters.

UTF-8 proves itself: no other text is valid UTF-8 by accident for long. The single-byte encodings of
Russian do not: each byte is a letter in all of them. The right one is told by which letters come out,
how often, and in which case: what is a lower-case letter in one is an upper-case one, or a line of a
box, in another. In western Europe a word has one such letter or two among letters of ASCII, where a
Russian word has none of those.
"""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass
from typing import Final

from stream.errors import InputError

SAMPLE_BYTES: Final = 256 * 1024
"""More bytes than this do not make the answer better."""

# In the order in which they are tried: of equal ones the first is the more frequent in files.
_SINGLE_BYTE: Final = ("cp1251", "cp866", "koi8_r", "mac_cyrillic", "iso8859_5", "cp1252")
_NAMES: Final = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1251": "Windows-1251",
    "cp866": "CP866 (DOS)",
    "koi8_r": "KOI8-R",
    "mac_cyrillic": "Mac Cyrillic",
    "iso8859_5": "ISO 8859-5",
    "cp1252": "Windows-1252",
}
# How often each letter stands in Russian text, in ten-thousandths, ё counted apart.
_FREQUENCY: Final = {
    "о": 1097, "е": 841, "а": 801, "и": 735, "н": 670, "т": 626, "с": 547, "р": 473, "в": 454,
    "л": 440, "к": 349, "м": 321, "д": 298, "п": 281, "у": 262, "я": 201, "ы": 190, "ь": 174,
    "г": 170, "з": 165, "б": 159, "ч": 144, "й": 121, "х": 97, "ж": 94, "ш": 73, "ю": 64, "ц": 48,
    "щ": 36, "э": 32, "ф": 26, "ъ": 4, "ё": 20, "і": 60, "ї": 10, "є": 10, "ў": 10, "ґ": 3,
    "ј": 10, "љ": 1, "њ": 1, "ћ": 1, "ђ": 1, "џ": 1,
}  # fmt: skip
_MARKS: Final = frozenset("«»„“”‘’–—…№°§©®™•€\xa0")
_WESTERN_MARKS: Final = frozenset("€£¥¿¡ªº")
# What a byte that is no likely character costs; a letter of Russian brings 6 to 12.
_UNLIKELY: Final = -8.0
_UNDEFINED: Final = -40.0
_BREAK: Final = -4.0
# A letter of Russian and one of ASCII side by side: more than any letter brings.
_MIXED: Final = -8.0
# What a letter that is a word of its own is worth: "€ 9" is "А 9" elsewhere, and "à" is "а".
_ALONE: Final = 0.1
_WESTERN: Final = 1.0
# Two of them side by side are rare there (ção), and the rule where Russian was taken for western.
_WESTERN_PAIR: Final = -2.0
# Quotes and dashes are the same in both encodings of Windows: if nothing else tells, it is no Russian.
_WESTERN_MARK: Final = 0.1
_UPPER: Final = -0.1
_ALTERNATION: Final = 1.0
_VOWELS: Final = frozenset("аеёиоуыэюя")
# So much may be damaged before a text is taken for one of another encoding. It is much: in no single-byte
# encoding of Russian the two bytes of a letter in UTF-8 are two that stand side by side.
_DAMAGED_SHARE: Final = 0.8
_NUL_SHARE: Final = 0.2
_ASCII: Final = bytes(range(128))
# An encoding of text makes something of whatever bytes it gets.
_ANY_BYTES: Final = bytes(range(256))
# So many bytes tell the letters' frequencies; the rest only costs time.
_LETTERS: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding as Python's codecs name it, and as people do."""

    codec: str

    @property
    def name(self) -> str:
        """Name for people."""
        return _NAMES.get(self.codec, self.codec)

    @property
    def errors(self) -> str:
        """What a decoder does with bytes that are none: in UTF-8 they are kept, to judge each row."""
        return "surrogateescape" if self.codec.startswith("utf-8") else "replace"


def encoding_named(name: str) -> Encoding:
    """Return the encoding that somebody named: ``cp1251``, ``windows-1251``, ``utf-16``, ...

    Raises:
        InputError: there is none of this name.
    """
    try:
        codec = codecs.lookup(name).name
        # Some codecs of Python are no encodings of text, or of host names alone.
        _ANY_BYTES.decode(codec, "replace")
    except (LookupError, ValueError):
        raise InputError(
            f"there is no encoding {name!r}", "one of: utf-8, utf-16, cp1251, cp866, koi8-r, cp1252"
        ) from None
    # A mark at the beginning is no character of the text.
    return Encoding({"utf-8": "utf-8-sig", "koi8-r": "koi8_r"}.get(codec, codec))


def encoding_of(sample: bytes) -> Encoding:
    """Return the encoding of a file that begins with these bytes."""
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return Encoding("utf-32")
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("utf-16")
    if wide := _wide(sample):
        return wide
    if sample.startswith(codecs.BOM_UTF8) or _is_utf8(sample) or _is_damaged_utf8(sample):
        return Encoding("utf-8-sig")
    # With what stands before it: the first letter may be one in a word of ASCII.
    first = max(len(sample) - len(sample.lstrip(_ASCII)) - 1, 0)
    letters = sample[first : first + _LETTERS]
    return Encoding(max(_SINGLE_BYTE, key=lambda codec: _likelihood(letters, codec)))


def _wide(sample: bytes) -> Encoding | None:
    """Return UTF-16 without a mark: every second byte of spaces, digits and line ends is NUL."""
    pairs = len(sample) // 2
    if not pairs or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    # Cyrillic letters have 4 there, digits and spaces 0.
    high_even = even + sample[0::2].count(4)
    high_odd = odd + sample[1::2].count(4)
    if max(high_even, high_odd) < pairs * 0.7 or min(even, odd) > _NUL_SHARE * max(even, odd):
        return None
    return Encoding("utf-16-le" if high_odd > high_even else "utf-16-be")


def _is_utf8(sample: bytes) -> bool:
    """Tell whether all of a sample is UTF-8; its last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged_utf8(sample: bytes) -> bool:
    """Tell whether a sample was UTF-8: by its letters and pictures, and the bytes of no character."""
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
    likely = sum("\xc0" <= c < "\u0530" or c in _MARKS or c > "\U0001f000" for c in text)
    damaged = sum("\udc80" <= c <= "\udcff" for c in text)
    return likely > 0 and damaged <= _DAMAGED_SHARE * (likely + damaged)


def _likelihood(sample: bytes, codec: str) -> float:
    """Return how likely a sample is a text in this encoding, as a logarithm."""
    of_character = _of_western if codec == "cp1252" else _of_russian
    score = 0.0
    earlier, before = " ", " "
    text = sample.decode(codec, "replace")
    for character, after in zip(text, f"{text[1:]} ", strict=True):
        if character > "\x7f":
            score += of_character(before, character, after)
            if before.isalpha() and character.isalpha():
                score += _of_pair(earlier, before, character)
        before, earlier = character, before
    return score


def _of_russian(before: str, character: str, after: str) -> float:
    """Judge a character of a text that may be Russian."""
    score = _of_character(character)
    beside = [other for other in (before, after) if other.isalpha()]
    if character.isalpha() and not beside:
        return min(score, _ALONE * score)
    return score + _MIXED * sum(other < "\x80" for other in beside)


def _of_western(before: str, character: str, _after: str) -> float:
    """Judge a character of a text that may be of western Europe."""
    if character in _WESTERN_MARKS:
        return _WESTERN
    if character in _MARKS:
        return _WESTERN_MARK
    apart = before < "\x80" or not (before.isalpha() and character.isalpha())
    return _of_character(character) + (0.0 if apart else _WESTERN_PAIR)


def _of_pair(earlier: str, before: str, character: str) -> float:
    """Judge two letters side by side: their cases, and whether a vowel meets a consonant."""
    broken_up = character.isupper() and before.islower()
    broken_down = character.islower() and before.isupper() and earlier.isupper()
    alternates = (character.lower() in _VOWELS) != (before.lower() in _VOWELS)
    return _BREAK * (broken_up or broken_down) + _ALTERNATION * alternates


def _of_character(character: str) -> float:
    lower = character.lower()
    if found := _FREQUENCY.get(lower):
        return math.log(found) + (_UPPER if character != lower else 0.0)
    if character in _MARKS:
        return 0.0
    if character == "\ufffd" or not character.isprintable():
        return _UNDEFINED
    if character.isalpha() and character < "\u0250":
        return _WESTERN
    return _UNLIKELY


_ANY_OTHER: Final = "--encoding names it: gb18030, shift_jis, cp1250, cp1253, cp1254, ..."
# Fewer characters that are not of ASCII say nothing.
_LEAST_JUDGED: Final = 20
# What a letter of Russian, Ukrainian or Bulgarian is worth on average is 6.0 to 6.7; 5.6 and less where
# Greek, Arabic, Japanese, Korean or EBCDIC was read as one of them.
_LEAST_RUSSIAN: Final = 5.8
# The letters of Hebrew are capitals in KOI8-R; a Russian file that is all in capitals is worth 6.3 or more.
_LEAST_OF_CAPITALS: Final = 6.25
_CAPITALS: Final = 0.9
# Signs within words: "y³a" is what is left of "yła". The acute accent is typed as an apostrophe.
_WITHIN_WORDS: Final = re.compile(r"(?<=[^\W\d_])[¹²³¿¡¶¼½¾¬¦¥¤£§©®±µ«»¸¢°×](?=[^\W\d_])")
_MOST_WITHIN_WORDS: Final = 1
# Letters that no language of Western Europe has beside one another, and where they come from: all of the
# one list, one of the other, and none of the third.
_EASTERN: Final = (
    (re.compile(r"[šž]"), re.compile(r"[èøìò]"), None, "cp1250 (Czech, Slovak, Croatian, Slovene)"),
    (re.compile(r"ö"), re.compile(r"[õû]"), re.compile(r"[äåæñç]"), "cp1250 (Hungarian)"),
    (re.compile(r"ã"), re.compile(r"[þº](?=[^\W\d_])"), re.compile(r"[õç]"), "cp1250 (Romanian)"),
    (re.compile(r"[ýÝ]"), re.compile(r"[þðçü]"), re.compile(r"[áéíóúæ]"), "cp1254 (Turkish)"),
    (
        re.compile(r"[þ]"),
        re.compile(r"[ëèàûâçî]"),
        re.compile(r"[ýé]"),
        "cp1257 (Lithuanian, Latvian)",
    ),
)


def doubt_of(sample: bytes, encoding: Encoding) -> str | None:
    """Return what speaks against an encoding that was found out, and what to do; None: nothing does.

    What is wrongly decoded would be published as a review of characters that nobody wrote.
    """
    if encoding.codec not in _SINGLE_BYTE:
        return None
    first = max(len(sample) - len(sample.lstrip(_ASCII)) - 1, 0)
    letters = sample[first : first + _LETTERS]
    text = letters.decode(encoding.codec, "replace")
    if encoding.codec == "cp1252":
        return _doubt_of_western(text)
    others = [c for c in text if c > "\x7f"]
    if len(others) < _LEAST_JUDGED:
        return None
    capitals = sum(map(str.isupper, others)) > _CAPITALS * len(others)
    may_be_hebrew = capitals and encoding.codec == "koi8_r"
    least = _LEAST_OF_CAPITALS if may_be_hebrew else _LEAST_RUSSIAN
    return _ANY_OTHER if _likelihood(letters, encoding.codec) < least * len(others) else None


def _doubt_of_western(text: str) -> str | None:
    lowered = text.lower()
    for needed, one_of, none_of, name in _EASTERN:
        if (
            needed.search(lowered)
            and one_of.search(lowered)
            and not (none_of and none_of.search(lowered))
        ):
            return f"it may be {name}: --encoding names it, or cp1252 if it is of western Europe"
    return _ANY_OTHER if len(_WITHIN_WORDS.findall(text)) > _MOST_WITHIN_WORDS else None
