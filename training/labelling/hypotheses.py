"""What an NLI model is asked of a text: templates with a phrase for each category.

They are the ``hypotheses.toml`` of the active taxonomy; without one, the categories' names in general
templates.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from schemas import active_taxonomy, category_infos
from training.errors import RulesError
from training.words.part_files import read_part

HYPOTHESES: Final = "hypotheses.toml"
_TEMPLATES: Final = {
    "ru": ("Этот текст о теме: {}.", "В тексте говорится про {}."),
    "en": ("This text is about {}.", "The topic of this text is {}."),
}
_OTHERWISE: Final = "en"


class Hypotheses(BaseModel):
    """Templates, and what stands in them.

    Attributes:
        templates: each with one pair of braces; the mean of several depends less on their wording than
            one does.
        phrases: one a category, by id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    templates: tuple[str, ...] = Field(min_length=1)
    phrases: tuple[str, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    templates: tuple[str, ...] = Field(min_length=1)
    phrases: dict[str, str]


def hypotheses() -> Hypotheses:
    """Return what is asked about the active taxonomy's categories.

    Raises:
        RulesError: its ``hypotheses.toml`` is wrong.
    """
    taxonomy = active_taxonomy()
    language = taxonomy.languages[0]
    path = taxonomy.part(HYPOTHESES)
    named = {info.slug: info.name(language) for info in category_infos()}
    if path is None:
        templates = _TEMPLATES.get(language, _TEMPLATES[_OTHERWISE])
        return Hypotheses(templates=templates, phrases=tuple(named.values()))
    found = read_part(path, _File, absent="mend it", wrong="see the bundled one")
    if unknown := sorted(set(found.phrases) - set(named)):
        raise RulesError(f"{path}: no category {', '.join(unknown)}", "correct the phrases")
    if not all("{}" in template for template in found.templates):
        raise RulesError(f"{path}: a template has no {{}}", "say where the phrase stands")
    phrases = named | found.phrases
    return Hypotheses(templates=found.templates, phrases=tuple(phrases.values()))
