"""Russian words: inflected forms of a lemma, and what an unseen word may be.

Morphology is pymorphy3's (OpenCorpora dictionary). Everything is cached by word: reviews repeat
their words, and a look-up costs a hundredth of an analysis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import pymorphy3

ALPHABET: Final = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
WORD: Final = re.compile(r"[a-zа-яіїєґ]+|\d+")
# Texts of a day hold some ten thousand distinct words; this bounds what a stream of typos can take.
_CACHED_WORDS: Final = 200_000
_NAME_TAGS: Final = frozenset({"Name", "Surn", "Patr", "Geox", "Orgn", "Abbr", "Init"})


@cache
def analyzer() -> Any:
    """Return the one analyser of this process (its dictionary takes 15 MB and 0.1 s)."""
    return pymorphy3.MorphAnalyzer(lang="ru")


def plain(word: str) -> str:
    """Return a dictionary word as :func:`stream.text.normalize` writes it."""
    return word.lower().replace("ё", "е")


def forms(lemma: str) -> frozenset[str]:
    """Return every inflected form of a lemma, itself included.

    Only analyses that have the lemma as their normal form count, so that a homograph's inflections
    stay out; a word that is in no dictionary is inflected by analogy.
    """
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


@lru_cache(maxsize=_CACHED_WORDS)
def analyse(word: str) -> Analysis:
    """Analyse a word once for everybody: the labellers share this cache."""
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
