"""In which languages labelled texts are written, by script and letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from stream.text import normalize
from stream.text.alphabets import alphabet_of, languages_by_script, own_letters

_LOOKED_AT: Final = 2_000
# So many of the texts make a script one of the stream's.
_SOME: Final = 0.02
# So many letters that a language lacks are names and borrowed words; with more it is another language.
_BORROWED: Final = 0.002
# A language that lacks more of the letters than this is not theirs.
_MOST_LACKED: Final = 0.01


def languages_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the languages that texts are written in, ISO 639-1, that of most texts first.

    A worker publishes no text unseen that is in another script than its taxonomy's languages, or has many
    letters that these lack (:class:`stream.model.strange_text.StrangeText`). So these are told by script
    and letters, which cannot tell languages of the same letters apart: people correct it.

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
        _language_of("".join(letters[script].findall(" ".join(held))) if script else "", script)
        for script, held in sorted(by_script.items(), key=lambda item: -len(item[1]))
        if len(held) >= least
    ]
    return () if None in found else tuple(language for language in found if language is not None)


def _language_of(letters: str, script: str) -> str | None:
    """Return the language of a script that letters are of; None where none of those known is.

    It lacks hardly any of them, and they lack the fewest of its own.
    """
    languages = languages_by_script().get(script, ())
    lacked = {language: _lacked(letters, language) for language in languages}
    least = min(lacked.values(), default=1.0)
    if least > _MOST_LACKED:
        return None
    near = [language for language in languages if lacked[language] <= least + _BORROWED]
    for plain in ("ru", "en"):
        if plain in near:
            return plain
    return min(near, key=lambda language: len(set(own_letters(language)) - set(letters)))


def _lacked(letters: str, language: str) -> float:
    """Return the share of letters that a language does not have; 0 where only its script is known."""
    alphabet = alphabet_of((language,))
    if alphabet is None:
        return 0.0
    return len(re.findall(f"[^{alphabet}]", letters)) / max(len(letters), 1)
