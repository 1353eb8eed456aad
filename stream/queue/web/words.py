"""Everything that the pages say, in Russian and in English."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from stream.queue.guidelines import Language

_FOLDER: Final = Path(__file__).parent / "words"
WORDS: Final[dict[Language, dict[str, str]]] = {
    "ru": json.loads((_FOLDER / "ru.json").read_text(encoding="utf-8")),
    "en": json.loads((_FOLDER / "en.json").read_text(encoding="utf-8")),
}


def say(language: Language, key: str, **values: Any) -> str:
    """Return a phrase with its values filled in.

    Raises:
        KeyError: there is no such phrase, or a value is missing.
    """
    return WORDS[language][key].format(**values)
