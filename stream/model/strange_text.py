"""Texts that a model cannot know: in another script or language, or with their letters lost.

A model answers whatever it is asked, and its confidence says nothing of a text that is unlike all that it
was calibrated on. Such a text is recognised by its letters, never by the model's own answer, and is asked
about however sure the model is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from stream.text.alphabets import CYRILLIC, LATIN, alphabet_of, script_of

OTHER_SCRIPT: Final = "other-script"
"""Most letters are of no script that the stream's languages are written in."""
OTHER_LANGUAGE: Final = "other-language"
"""The script is right, and many words have letters that these languages do not have."""
LETTERS_LOST: Final = "letters-lost"
"""Question marks or replacement characters stand where letters were."""
UNKNOWN_WORDS: Final = "unknown-words"
"""The model's vocabulary knows next to nothing of it: another language in the same script, letters
typed on another keyboard layout, or a text that was decoded wrongly."""
REASONS: Final = (OTHER_SCRIPT, OTHER_LANGUAGE, LETTERS_LOST, UNKNOWN_WORDS)

# Scripts whose words a vocabulary cuts into pieces of several letters.
_ALPHABETS: Final = frozenset({"el", "hy", "ka"})

_WORD: Final = re.compile(r"[^\W\d_]+")
_SIGN: Final = re.compile(r"[\d_]|[^\w\s]")
_LOST_WORD: Final = re.compile(
    r"(?<!\S)[?\ufffd][?\ufffd]|(?<!\S)[?\ufffd](?=\w)|(?<=\w)[?\ufffd](?=\w)"
)
_REPLACED: Final = "\ufffd"

# Below it no real review has more than a name in the stream's script; above it are those with a half in
# it, which is read, and names of goods.
LEAST_SCRIPT: Final = 0.2
# Ukrainian, Kazakh, Tajik ... have such letters in a third of their words and more.
MOST_FOREIGN_WORDS: Final = 0.2
# One replaced character is a cut, or an emoji that a database could not keep.
LEAST_LOST: Final = 2
MOST_LOST: Final = 1 / 8
# Of what is usual for the model. Typing errors make a word or two unknown, not a whole review: of real
# ones 0.06% are below; Bulgarian, Kazakh without its own letters and gibberish are at 0.2 to 0.4.
LEAST_FAMILIAR: Final = 0.4
# In a text of fewer letters one rare word weighs more.
LEAST_FAMILIAR_IN_SHORT: Final = 0.34
_SHORT: Final = 20
# With more of another script, it is names of brands and models that the vocabulary does not know.
LEAST_OWN_LETTERS: Final = 0.8
# Shorter texts are too few pieces to tell by.
_LEAST_LETTERS: Final = 10
_LEAST_WORDS: Final = 2
# More characters a piece than this leave no room for too few letters a piece.
_CLEARLY_FAMILIAR: Final = 3.5


class StrangeText:
    """Tells texts that are not to be published unseen, whatever the model says.

    Args:
        languages: that the stream is written in, ISO 639-1. Scripts and letters of a language that is
            not known here are not looked at.
        usual_letters: a word piece of the model in texts that it knows; 0: not known.
    """

    def __init__(self, languages: Sequence[str], usual_letters: float = 0.0) -> None:
        scripts = [script_of(language) for language in languages]
        known = bool(scripts) and None not in scripts
        ranges = "".join(script for script in scripts if script)
        self._of_script = re.compile(f"[{ranges}]+") if known else None
        alphabet = alphabet_of(languages) if known else None
        # What ASCII has before the letters is in all languages: marks and digits.
        usual = alphabet if alphabet is not None else ranges
        self._unusual = re.compile(f"[^{usual} -@«»—–’…]") if known else None
        self._foreign = re.compile(f"(?![{alphabet}])[{ranges}]") if alphabet is not None else None
        cut = all(lang in _ALPHABETS or script_of(lang) in {CYRILLIC, LATIN} for lang in languages)
        self._usual_letters = usual_letters if cut else 0.0

    def reason(self, text: str, pieces: int = 0) -> str | None:
        """Return what is strange about a normalised text; None: nothing is.

        Args:
            text: as :func:`stream.text.normalize` returns it.
            pieces: word pieces of the whole text, without specials; 0: not known.
        """
        if ("?" in text or _REPLACED in text) and _letters_are_lost(text):
            return LETTERS_LOST
        if (
            self._unusual is not None
            and self._unusual.search(text)
            and (found := self._of_others(text)) is not None
        ):
            return found
        if pieces and len(text) < _CLEARLY_FAMILIAR * pieces and self._is_unknown(text, pieces):
            return UNKNOWN_WORDS
        return None

    def _of_others(self, text: str) -> str | None:
        assert self._of_script is not None  # noqa: S101 - reason() asked
        own = _letters(self._of_script, text)
        # Not more than so many are letters at all.
        if own < LEAST_SCRIPT * len(text) and own < LEAST_SCRIPT * _letters(_WORD, text):
            return OTHER_SCRIPT
        if self._foreign is not None and self._foreign.search(text):
            words = _WORD.findall(text)
            foreign = sum(self._foreign.search(word) is not None for word in words)
            if foreign >= MOST_FOREIGN_WORDS * len(words):
                return OTHER_LANGUAGE
        return None

    def _is_unknown(self, text: str, pieces: int) -> bool:
        words = _WORD.findall(text)
        letters = sum(map(len, words))
        if letters < _LEAST_LETTERS or len(words) < _LEAST_WORDS:
            return False
        if self._of_script is not None and (
            _letters(self._of_script, text) < LEAST_OWN_LETTERS * letters
        ):
            return False
        # Signs and digits are pieces of their own.
        of_words = max(pieces - len(_SIGN.findall(text)), 1)
        least = LEAST_FAMILIAR_IN_SHORT if letters < _SHORT else LEAST_FAMILIAR
        return letters < least * self._usual_letters * of_words


def letters_a_piece(texts: Sequence[str], pieces: Sequence[int]) -> float:
    """Return how many letters a word piece has on average, in texts that a model knows.

    Args:
        texts: normalised.
        pieces: of each, without specials.
    """
    letters = sum(_letters(_WORD, text) for text in texts)
    signs = sum(len(_SIGN.findall(text)) for text in texts)
    return letters / max(sum(pieces) - signs, 1)


def _letters(runs: re.Pattern[str], text: str) -> int:
    return sum(map(len, runs.findall(text)))


def _letters_are_lost(text: str) -> bool:
    lost = len(_LOST_WORD.findall(text))
    words = len(_WORD.findall(text))
    if 2 * lost >= words and (lost >= LEAST_LOST or (lost and not words)):
        return True
    replaced = text.count(_REPLACED)
    return replaced >= LEAST_LOST and replaced >= MOST_LOST * _letters(_WORD, text)
