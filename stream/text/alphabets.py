"""Letters of languages, and the scripts that these are written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# As they are after `stream.text.normalize`: lower case. Ranges of Unicode, for a regular expression.
CYRILLIC: Final = "\u0400-\u052f\u1c80-\u1c8f\ua640-\ua69f"
LATIN: Final = "a-z\u00df-\u00f6\u00f8-\u02af\u1e00-\u1eff"
_GREEK: Final = "\u0370-\u03ff\u1f00-\u1fff"
_ARABIC: Final = "\u0620-\u06ff\u0750-\u077f\u08a0-\u08ff"
_HAN: Final = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_DEVANAGARI: Final = "\u0900-\u097f"
# Letters of languages beyond а to я and a to z. What is not here is written in another script, or its
# letters are not known, and then only the script is looked at.
_CYRILLIC_LETTERS: Final = {
    "ru": "ё", "bg": "", "uk": "ґєії", "be": "ёіў", "sr": "ђјљњћџ", "mk": "ѓѕјљњќџ", "kk": "ёәғқңөұүһі",
    "ky": "ёңөү", "tt": "ёәөүҗңһ", "ba": "ёәғҙҡңөҫүһ", "tg": "ёғӣқӯҳҷ", "mn": "ёөү",
}  # fmt: skip
_LATIN_LETTERS: Final = {
    "en": "éï", "de": "äöüß", "fr": "àâæçéèêëîïôœùûüÿ", "es": "áéíñóúü", "it": "àèéìíîòóùú",
    "pt": "áâãàçéêíóôõúü", "nl": "áéèëïíóöúü", "pl": "ąćęłńóśźż", "cs": "áčďéěíňóřšťúůýž", "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű", "ro": "ăâîșşțţ", "tr": "çğıöşü", "az": "çəğıöşü", "sv": "åäöé", "no": "æøåé", "da": "æøåé",
    "fi": "åäö", "et": "äõöüšž", "lv": "āčēģīķļņšūž", "lt": "ąčęėįšųūž", "hr": "čćđšž", "sl": "čšž", "id": "é", "ms": "é",
    "uz": "ʻʼ", "vi": None,
}  # fmt: skip
_OTHER_SCRIPTS: Final = {
    "el": _GREEK, "hy": "\u0530-\u058f", "ka": "\u10a0-\u10ff\u1c90-\u1cbf", "he": "\u0590-\u05ff",
    "ar": _ARABIC, "fa": _ARABIC, "ur": _ARABIC, "hi": _DEVANAGARI, "mr": _DEVANAGARI, "ne": _DEVANAGARI,
    "bn": "\u0980-\u09ff", "ta": "\u0b80-\u0bff", "te": "\u0c00-\u0c7f", "th": "\u0e00-\u0e7f",
    "zh": _HAN, "ja": _HAN + "\u3040-\u30ff\u31f0-\u31ff", "ko": _HAN + "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
}  # fmt: skip


def script_of(language: str) -> str | None:
    """Return the letters of a language's script as ranges for a regular expression; None: not known.

    Args:
        language: ISO 639-1.
    """
    if language in _CYRILLIC_LETTERS:
        return CYRILLIC
    return LATIN if language in _LATIN_LETTERS else _OTHER_SCRIPTS.get(language)


def alphabet_of(languages: Sequence[str]) -> str | None:
    """Return the letters of some languages for a regular expression; None: not all are known.

    Args:
        languages: ISO 639-1, of Cyrillic or Latin script.
    """
    found = ""
    for language in languages:
        if language in _CYRILLIC_LETTERS:
            # A Latin ë in a Russian word is somebody's keyboard, not another language.
            found += "а-яë" + _CYRILLIC_LETTERS[language]
        elif (letters := _LATIN_LETTERS.get(language)) is not None:
            found += "a-z" + letters
        else:
            return None
    return found


def own_letters(language: str) -> str:
    """Return the letters of a language that Russian or English do not need; empty if none are known."""
    return (_CYRILLIC_LETTERS | _LATIN_LETTERS).get(language) or ""


def languages_by_script() -> dict[str, tuple[str, ...]]:
    """Return the languages whose letters are known, by the ranges of their script."""
    found: dict[str, tuple[str, ...]] = {}
    for language in (*_CYRILLIC_LETTERS, *_LATIN_LETTERS, *_OTHER_SCRIPTS):
        script = script_of(language)
        if script and (language in _OTHER_SCRIPTS or alphabet_of((language,)) is not None):
            found[script] = (*found.get(script, ()), language)
    return found
