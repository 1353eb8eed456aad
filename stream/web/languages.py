"""In which language a page opens, before somebody chooses one."""

from __future__ import annotations

from typing import Literal

from schemas import active_taxonomy


def page_language() -> Literal["ru", "en"]:
    """Return English if the texts are known not to be Russian, else Russian."""
    taxonomy = active_taxonomy()
    told = "languages" in taxonomy.model_fields_set
    return "en" if told and "ru" not in taxonomy.languages else "ru"
