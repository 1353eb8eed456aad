"""Text preprocessing, shared by serving and training so that they cannot differ.

What people send is made plain first (encodings, markup, look-alike letters), then folded to one form.
Most texts are plain already and take none of the slow steps.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from stream.text.letters import close_up, one_script, split_joined
from stream.text.markup import without_markup
from stream.text.mojibake import repair_encoding

TEXT_VERSION: Final = 2
"""Version of :func:`normalize`. A model folder records it."""
READABLE_BY: Final = frozenset({1, TEXT_VERSION})
"""Versions whose models can read what :func:`normalize` returns; others are refused on load.

What version 2 returns, version 1 would leave as it is: to such a model it is a cleaner text of the kind
that it was trained on, and answers that were cached for it hold.
"""

# Characters that none of the slow steps would change: they are their own NFKC form, and neither
# markup nor a part of mojibake.
_UNUSUAL: Final = re.compile(r"[^0-9A-Za-zА-Яа-яЁё \n.,!?;:()\"'«»—–\-/+%*=]")
# Zero width, direction marks, isolates, variation selectors, tags, skin tones: they change how a
# character looks, not which one it is.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001f3fb-\U0001f3ff\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Marks that were laid over letters (strike-through, underline, Zalgo). Those that belong to a letter
# have been composed with it by then; marks of other scripts, which carry vowels, are left alone.
_OVERLAID: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]")
# Pictures stick to words, and a tokenizer would take both for one unknown word.
_PICTURE: Final = re.compile("([\u2190-\u2bff\u3030\u303d\ufffd\U0001f000-\U0001faff])")
# Three or more of one letter or mark carry the same meaning as two. Digits are left alone:
# sizes and measurements tell clothes from the rest.
_REPEATED: Final = re.compile(r"([^\d\s])\1{2,}")
# Finds whatever _REPEATED would, ten times as fast; most texts have nothing of it.
_THRICE: Final = re.compile(r"(.)\1\1(?<!\d)", re.DOTALL)
# What one step takes away may lay bare work for another: an entity under a mark that was laid over it.
# Two passes do for people's texts; a text that was made to need more is left half folded.
_PASSES: Final = 8


def normalize(text: str) -> str:
    """Return the form of a review's text that the tokenizer, the cache and the rules see.

    In this order: HTML entities and tags resolved; a wrongly decoded text decoded rightly where that is
    certain; Unicode NFKC; invisible, control and overlaid characters dropped; pictures set
    apart; words that were joined by capitals parted, letters that were set apart joined, look-alike
    letters of another script replaced; lower case, ``ё`` written ``е``; runs of a repeated letter or
    mark cut to two; white space collapsed. Idempotent.
    """
    for _ in range(_PASSES):
        if not _UNUSUAL.search(text):
            break
        before, text = text, _folded(_made_plain(text))
        if text == before:
            return text
    return _folded(text)


def fingerprint(normalized: str) -> str:
    """Return a 128-bit hexadecimal digest of an already normalised text (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(normalized.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def short_fingerprint(normalized: str) -> int:
    """Return the first 64 bits of a text's fingerprint, as model folders keep them.

    Among a million texts two share one with a chance of one in forty million.
    """
    return int(fingerprint(normalized)[:16], 16)


def _folded(text: str) -> str:
    """Return one form for all ways to write the same words."""
    text = one_script(close_up(split_joined(text)))
    text = unicodedata.normalize("NFKC", text.lower()).replace("ё", "е")
    if _THRICE.search(text):
        text = _REPEATED.sub(r"\1\1", text)
    return " ".join(text.split())


def _made_plain(text: str) -> str:
    """Return a text without what only its encoding, its markup or its typography put there."""
    # Markup before, since a tag's Latin letters hide what the rest is; after, for what NFKC lays bare.
    text = unicodedata.normalize("NFKC", repair_encoding(without_markup(text)))
    text = without_markup(text)
    if not text.isprintable():
        text = _CONTROL.sub(" ", _INVISIBLE.sub("", text))
    else:
        text = _INVISIBLE.sub("", text)
    text = _OVERLAID.sub("", unicodedata.normalize("NFKC", text))
    return _PICTURE.sub(r" \1 ", text)
