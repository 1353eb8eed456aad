"""The rule file: what a person may write in it, and what is refused.

The notation is explained at the top of ``rules.toml``; the words are kept there, never in code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas import Category, active_taxonomy
from training.errors import LabellerUnavailable
from training.words.part_files import Location, read_part

RULES: Final = "rules.toml"
Tier = Literal["shield", "product", "part", "child", "adult", "worn", "cloth", "hint", "general"]
_ENTRY: Final = re.compile(r"(?:[^\W\d_]+[*!]?|\d+!?)")


def _split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]


class EvidenceRule(BaseModel):
    """Entries that are evidence of one kind for one category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9.-]+$")
    tier: Tier
    category: Category | None = Field(None, description="None for a shield only.")
    weight: float = Field(0.0, ge=0, le=20)
    words: Words = ()
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    numbers: tuple[str, ...] = Field((), description="Patterns tried only where a digit occurs.")
    negatable: bool = False
    weak: Literal[False, "named", "garment"] = Field(
        default=False,
        description="A false friend: void where a garment is named, or where anything says garment.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.category is None) != (self.tier == "shield"):
            raise ValueError("every rule but a shield has a category")
        if not (self.words or self.phrases or self.patterns or self.numbers):
            raise ValueError("the rule has no words, phrases or patterns")
        for entry in (*self.words, *(word for phrase in self.phrases for word in phrase.split())):
            if not _ENTRY.fullmatch(entry) or entry != entry.lower():
                raise ValueError(f"{entry!r} is not one word, optionally ending in * or !")
        for phrase in self.phrases:
            if len(phrase.split()) < 2:  # noqa: PLR2004 - a phrase of one word is a word
                raise ValueError(f"the phrase {phrase!r} is one word: list it under words")
        for pattern in (*self.patterns, *self.numbers):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"the pattern {pattern!r} does not parse: {error}") from None
        return self


class RuleBook(BaseModel):
    """All rules, and the edition of the codebook that they follow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    codebook: str
    indirect: Category | None = Field(
        None, description="The category that parts, size and fit, and material speak for."
    )
    rule: tuple[EvidenceRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        ids = [rule.id for rule in self.rule]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"used twice as a rule's id: {', '.join(twice)}")
        return self


def load_rules(path: Path | None = None) -> RuleBook:
    """Read and check a rule file, the active taxonomy's unless another is named.

    Raises:
        LabellerUnavailable: the taxonomy has no rules.
        RulesError: absent, not TOML, or a rule is wrong; the message names rule and entry.
    """
    path = path or active_taxonomy().part(RULES)
    if path is None:
        raise LabellerUnavailable(
            f"the taxonomy {active_taxonomy().name!r} has no {RULES}",
            "`reviews taxonomy init` proposes rules from labels",
        )
    return read_part(
        path, RuleBook, "name a rule file", "the file's head explains it", place=_rule_name
    )


def _rule_name(data: Mapping[str, Any], location: Location) -> str:
    rules = data.get("rule")
    if len(location) > 1 and isinstance(rules, list) and isinstance(location[1], int):
        rule = rules[location[1]]
        named = rule.get("id") if isinstance(rule, dict) else None
        rest = ".".join(map(str, location[2:]))
        return f"rule {named or location[1] + 1}: {rest + ': ' if rest else ''}"
    return ""
