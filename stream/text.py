"""Text preprocessing, shared by serving and training so that they cannot differ."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

TEXT_VERSION: Final = 1
"""Version of :func:`normalize`. A model folder records it; another version is refused on load."""

_INVISIBLE: Final = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Three or more of one letter or mark carry the same meaning as two. Digits are left alone:
# sizes and measurements tell clothes from the rest.
_REPEATED: Final = re.compile(r"([^\d\s])\1{2,}")
# Finds whatever _REPEATED would, ten times as fast; most texts have nothing of it.
_THRICE: Final = re.compile(r"(.)\1\1(?<!\d)", re.DOTALL)


def normalize(text: str) -> str:
    """Return the form of a review's text that the tokenizer, the cache and the rules see.

    Unicode NFKC, invisible and control characters dropped, lower case, ``ё`` written ``е``,
    runs of a repeated letter or mark cut to two, white space collapsed. Idempotent.
    """
    text = unicodedata.normalize("NFKC", text)
    if not text.isprintable():
        text = _CONTROL.sub(" ", _INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFKC", text.lower()).replace("ё", "е")
    if _THRICE.search(text):
        text = _REPEATED.sub(r"\1\1", text)
    return " ".join(text.split())


def fingerprint(normalized: str) -> str:
    """Return a 128-bit hexadecimal digest of an already normalised text (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(normalized.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
