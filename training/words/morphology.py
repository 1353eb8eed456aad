"""Words: inflected forms of a lemma, and what an unseen word may be.

Russian morphology is pymorphy3's (OpenCorpora dictionary). Words of other languages are compared by
their stems (Snowball); where there is no stemmer, as they are written. Everything is cached by word: reviews repeat
their words, and a look-up costs a hundredth of an analysis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import pymorphy3
import snowballstemmer

from schemas import active_taxonomy

ALPHABET: Final = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
WORD: Final = re.compile(r"[a-zа-яіїєґ]+|\d+")
# Texts of a day hold some ten thousand distinct words; this bounds what a stream of typos can take.
_CACHED_WORDS: Final = 200_000
_ANY_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
# A stem is no word: the sign keeps "univers" of "university" from meeting one that is written so.
_STEM: Final = "~"
_STEMMERS: Final = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
RUSSIAN: Final = "ru"
# In shorter words a stem says too little to be a thing's name.
_LEAST_THING: Final = 4
_NAME_TAGS: Final = frozenset({"Name", "Surn", "Patr", "Geox", "Orgn", "Abbr", "Init"})


@cache
def analyzer() -> Any:
    """Return the one analyser of this process (its dictionary takes 15 MB and 0.1 s)."""
    return pymorphy3.MorphAnalyzer(lang="ru")


def plain(word: str) -> str:
    """Return a dictionary word as :func:`stream.text.normalize` writes it."""
    return word.lower().replace("ё", "е")


def language() -> str:
    """Return the main language of the active taxonomy's texts, ISO 639-1."""
    return active_taxonomy().languages[0]


def word_pattern() -> re.Pattern[str]:
    """Return what a word of a normalised text is."""
    return WORD if language() == RUSSIAN else _ANY_WORD


@cache
def _stemmer(of: str) -> Any:
    name = _STEMMERS.get(of)
    return None if name is None else snowballstemmer.stemmer(name)


@lru_cache(maxsize=_CACHED_WORDS)
def _stem_key(of: str, word: str) -> str | None:
    stemmer = _stemmer(of)
    return None if stemmer is None else _STEM + str(stemmer.stemWord(word))


def keys_of(word: str) -> tuple[str, ...]:
    """Return under which forms a word of a text is looked up: itself, and its stem."""
    stem = None if language() == RUSSIAN else _stem_key(language(), word)
    return (word,) if stem is None else (word, stem)


def forms(lemma: str) -> frozenset[str]:
    """Return every inflected form of a lemma, itself included; of other languages, its keys.

    Only analyses that have the lemma as their normal form count, so that a homograph's inflections
    stay out; a word that is in no dictionary is inflected by analogy.
    """
    if language() != RUSSIAN:
        return frozenset(keys_of(lemma))
    parses = [p for p in analyzer().parse(lemma) if plain(p.normal_form) == plain(lemma)]
    found = {plain(lemma)}
    for parse in parses or analyzer().parse(lemma)[:1]:
        # Comparatives are left out: "уже", "больше" and "короче" mostly mean something else.
        found.update(plain(form.word) for form in parse.lexeme if "COMP" not in form.tag)
    return frozenset(found)


class Analysis(NamedTuple):
    """What morphology says of one word."""

    lemmas: tuple[str, ...]
    """Possible normal forms, most likely first."""
    known: bool
    """Whether the dictionary holds the word."""
    may_name_a_thing: bool
    """Whether it is likely a common noun, and so may be the name of a product."""


def analyse(word: str) -> Analysis:
    """Analyse a word once for everybody: the labellers share this cache."""
    if language() == RUSSIAN:
        return _analyse_russian(word)
    return Analysis(keys_of(word), known=False, may_name_a_thing=len(word) >= _LEAST_THING)


@lru_cache(maxsize=_CACHED_WORDS)
def _analyse_russian(word: str) -> Analysis:
    parses = analyzer().parse(word)
    best = parses[0].tag
    return Analysis(
        tuple(dict.fromkeys(plain(parse.normal_form) for parse in parses)),
        bool(analyzer().word_is_known(word)),
        best.POS == "NOUN" and not _NAME_TAGS & set(best.grammemes),
    )


def one_edit_away(word: str) -> Iterator[str]:
    """Yield every string that one dropped, swapped, replaced or added letter makes of the word.

    Around 600 candidates a word, looked up in a set: for a few unseen words a review this is cheaper
    than an index over all forms (P. Norvig, "How to Write a Spelling Corrector").
    """
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in ALPHABET)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in ALPHABET)
