"""The codebook as people read it beside a review: rules in order, with examples.

It is the ``guidelines.toml`` of the active taxonomy. Without one, what the queue needs remains.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas import TaxonomyError, active_taxonomy
from schemas.taxonomy import ByLanguage, in_language
from schemas.toml import read_toml

GUIDELINES: Final = "guidelines.toml"
Language = Literal["ru", "en"]


class Rule(BaseModel):
    """One rule. The first that fits decides.

    Attributes:
        title: in a few words, by language.
        text: what it says, by language.
        examples: by language, a text and the slug that it gets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: ByLanguage
    text: ByLanguage
    examples: dict[str, tuple[tuple[str, str], ...]] = Field(default_factory=dict)

    def examples_in(self, language: str) -> tuple[tuple[str, str], ...]:
        """Return examples in a language, in another one where there are none."""
        return self.examples.get(language) or next(iter(self.examples.values()), ())


class RuleView(BaseModel):
    """A rule in one language, as a page shows it."""

    title: str
    text: str
    examples: tuple[tuple[str, str], ...] = ()


_CANNOT_TELL: Final = Rule(
    title={"ru": "Не могу определить", "en": "Cannot tell"},
    text={
        "ru": "Если возможны две категории, нажмите «?». Текст не вернётся в очередь и не попадёт "
        "в обучение.",
        "en": "Where two categories remain possible, press “?”. The text does not come back, and "
        "nothing is trained on it.",
    },
)


def guidelines(language: Language) -> tuple[RuleView, ...]:
    """Return the active taxonomy's rules in a language.

    Raises:
        TaxonomyError: its ``guidelines.toml`` is wrong.
    """
    path = active_taxonomy().part(GUIDELINES)
    rules = (_CANNOT_TELL,) if path is None else read_guidelines(path)
    return tuple(
        RuleView(
            title=in_language(rule.title, language),
            text=in_language(rule.text, language),
            examples=rule.examples_in(language),
        )
        for rule in rules
    )


@cache
def read_guidelines(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules.

    Raises:
        TaxonomyError: it cannot be read, a rule is wrong, or an example has a category that is none.
    """
    try:
        data: dict[str, Any] = read_toml(path)
        rules = tuple(Rule.model_validate(row) for row in data.get("rule", ()))
    except OSError as error:
        raise TaxonomyError(f"{path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise TaxonomyError(f"{path} is not TOML: {error}", "correct that line") from None
    except (ValidationError, TypeError) as error:
        raise TaxonomyError(f"{path}: {error}", "see the bundled taxonomy's") from None
    slugs = {slug for rule in rules for found in rule.examples.values() for _, slug in found}
    if unknown := sorted(slugs - set(active_taxonomy().slugs)):
        raise TaxonomyError(f"{path}: no category {', '.join(unknown)}", "correct the examples")
    return rules
