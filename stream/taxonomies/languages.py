"""In which languages labelled texts are written, by script, commonest words and letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from stream.text import normalize
from stream.text.alphabets import LATIN, alphabet_of, languages_by_script, own_letters

_LOOKED_AT: Final = 2_000
# So many of the texts make a script one of the stream's.
_SOME: Final = 0.02
# So many letters that a language lacks are names and borrowed words; with more it is another language.
_BORROWED: Final = 0.002
# A language that lacks more of the letters than this is not theirs.
_MOST_LACKED: Final = 0.01
# Languages share letters, names bring theirs into any text, and a stream may be in several of one script.
# These words stand in most sentences of a language. What two of them share tells nothing, so it is in both.
_WORDS: Final = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the is to and my i you of not it have for this that with was in on are can do how",
        "de": "der die das und ist ich nicht ein eine den zu mit für auf wie in von im es bitte",
        "fr": "le la les et est je pas un une de des pour que ne dans mon en du sur il à vous",
        "es": "el la los las es no un una de que en mi por para con se del al lo me está",
        "it": "il la è non un una di che per sono mi con del in si da le ho della",
        "pt": "os as é não um uma de que em meu para com do da no na se eu por",
        "nl": "de het en is ik niet een van op te dat mijn met voor in zijn er wordt",
        "sv": "och är det att inte en jag som på för med av ett den till kan om",
        "da": "og er det at ikke en jeg som på for med af et den til kan om de",
        "no": "og er det å ikke en jeg som på for med av et den til kan om de",
        "pl": "nie na jest do się z to że mam dla jak od po czy moja mój",
    }.items()
}
# Fewer texts are taken for one of these languages by chance, among texts in a language that is none of
# them: 4% of Croatian ones have two words of French.
_BY_CHANCE: Final = 0.07
_WORD: Final = re.compile(r"[^\W\d_]+")


def languages_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the languages that texts are written in, ISO 639-1, that of most texts first.

    A worker publishes no text unseen that is in another script than its taxonomy's languages, or has many
    letters that these lack (:class:`stream.model.strange_text.StrangeText`). So these are told by script,
    by the commonest words of some languages, and by letters, which cannot tell all others apart: people
    correct it.

    Args:
        texts: as people wrote them.

    Returns:
        Nothing where a part of the texts is in a language that is not known: its texts are not to be
        taken for strange ones.
    """
    step = max(len(texts) // _LOOKED_AT, 1)
    scripts = languages_by_script()
    letters = {script: re.compile(f"[{script}]") for script in scripts}
    by_script: dict[str, list[str]] = {}
    for text in map(normalize, texts[::step]):
        counts = {script: len(pattern.findall(text)) for script, pattern in letters.items()}
        most = max(counts, key=counts.__getitem__)
        if any(char.isalpha() for char in text):
            by_script.setdefault(most if counts[most] else "", []).append(text)
    least = _SOME * sum(map(len, by_script.values()))
    found = [
        spoken
        for script, held in by_script.items()
        if len(held) >= least
        for spoken in _spoken(held, script, least)
    ]
    found.sort(key=lambda spoken: -spoken[1])
    languages = [language for language, _ in found]
    return () if None in languages else tuple(filter(None, dict.fromkeys(languages)))


def _spoken(texts: Sequence[str], script: str, least: float) -> list[tuple[str | None, int]]:
    """Return the languages of texts in one script, and how many texts are in each.

    By their words, and the texts in which no language's words prevail by their letters.
    """
    if not script:
        return [(None, len(texts))]
    told = [_by_words(text) if script == LATIN else None for text in texts]
    rest = [text for text, language in zip(texts, told, strict=True) if language is None]
    least = max(least, _BY_CHANCE * len(rest))
    spoken: list[tuple[str | None, int]] = [
        (language, n) for language, n in Counter(told).items() if language and n >= least
    ]
    letters = "".join(re.findall(f"[{script}]", " ".join(rest)))
    known = [language for language, _ in spoken if language]
    if known and (len(rest) < least or _lacked(letters, known) <= _MOST_LACKED):
        return spoken
    return [*spoken, (_language_of(letters, script), len(rest))]


def _by_words(text: str) -> str | None:
    """Return the language whose commonest words a text has most of; None: one at most, or as many of another's."""
    words = _WORD.findall(text)
    (first, most), (_, next_most) = Counter(
        {language: sum(word in common for word in words) for language, common in _WORDS.items()}
    ).most_common(2)
    return first if most > max(next_most, 1) else None


def _language_of(letters: str, script: str) -> str | None:
    """Return the language of a script that letters are of; None where none of those known is.

    It lacks hardly any of them, and they lack the fewest of its own.
    """
    languages = languages_by_script().get(script, ())
    lacked = {language: _lacked(letters, [language]) for language in languages}
    least = min(lacked.values(), default=1.0)
    if least > _MOST_LACKED:
        return None
    near = [language for language in languages if lacked[language] <= least + _BORROWED]
    for plain in ("ru", "en"):
        if plain in near:
            return plain
    return min(near, key=lambda language: len(set(own_letters(language)) - set(letters)))


def _lacked(letters: str, languages: Sequence[str]) -> float:
    """Return the share of letters that languages do not have; 0 where only their script is known."""
    alphabet = alphabet_of(languages)
    if alphabet is None:
        return 0.0
    return len(re.findall(f"[^{alphabet}]", letters)) / max(len(letters), 1)
