"""Taxonomies: which categories a deployment knows, and what they are called.

A taxonomy is a folder with a ``taxonomy.toml``; optional parts lie beside it (guidelines, rules, a
dictionary, hypotheses, a prompt, examples). One process has one active taxonomy: the one that
``REVIEWS_TAXONOMY`` or the settings name, and the bundled one of Russian marketplace reviews otherwise.

A review has one category of a flat list. Trees, and several labels a text, are out of scope.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Self, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.errors import TaxonomyError, UnknownCategory
from schemas.toml import read_toml

VARIABLE: Final = "REVIEWS_TAXONOMY"
FILE: Final = "taxonomy.toml"
_WHICH: Final = "name the folder of a taxonomy, or make one with `reviews taxonomy init`"
MARKETPLACE: Final = (
    Path(__file__).resolve().parent.parent / "deploy" / "taxonomies" / "marketplace"
)
# Kafka allows 249 characters in a topic's name; the prefix and a suffix have the rest.
MAX_SLUG: Final = 100
MOST_CATEGORIES: Final = 1000
MAX_NAME: Final = 100
_SLUG: Final = r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$"
_ANY: Final = ""


def _by_language(value: object) -> object:
    """Let people write one text where they have only one language."""
    return {_ANY: value} if isinstance(value, str) else value


ByLanguage = Annotated[dict[str, str], BeforeValidator(_by_language)]


class Category(str):
    """Slug of a category of the active taxonomy, as it appears in events and in topic names.

    >>> Category("kids").id
    5

    Raises:
        UnknownCategory: the active taxonomy has no such category.
    """

    __slots__ = ()

    def __new__(cls, slug: str) -> Self:
        """Return the category with this slug: one object for each."""
        try:
            return cast("Self", _read_as[slug])
        except (KeyError, TypeError):  # none yet, none at all, or one that was split
            return cast("Self", active_taxonomy().category(slug))

    def __reduce__(self) -> tuple[type[Category], tuple[str]]:
        return (Category, (str(self),))

    @property
    def slug(self) -> str:
        """The slug as a plain string."""
        return str(self)

    @property
    def id(self) -> int:
        """Position of the category in a model's output, from 0."""
        found = _ids.get(self)
        return active_taxonomy().position(self) if found is None else found

    @property
    def info(self) -> CategoryInfo:
        """Names and description for people."""
        return active_taxonomy().infos[self.id]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            serialization=core_schema.to_string_ser_schema(),
            ref="schemas.Category",
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "description": "Slug of a category, as it appears in events and in topic names.",
            "enum": [category.slug for category in all_categories()],
            "title": "Category",
            "type": "string",
        }


class CategoryInfo(BaseModel):
    """What a category is called and what it covers.

    Attributes:
        slug: in events and topic names.
        names: by language; a plain string, `name`, where there is one language.
        descriptions: what belongs to it, likewise.
        group: heading under which people find it.
        examples: texts that belong to it.
        formerly: slugs that older events, tasks, labels and files have for it. A slug that several
            categories name was split: what holds it has to be decided anew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: str = Field(pattern=_SLUG, max_length=MAX_SLUG)
    names: ByLanguage = Field(default_factory=dict, validation_alias=AliasChoices("names", "name"))
    descriptions: ByLanguage = Field(
        default_factory=dict, validation_alias=AliasChoices("descriptions", "description")
    )
    group: ByLanguage = Field(default_factory=dict)
    examples: tuple[str, ...] = ()
    formerly: tuple[str, ...] = ()

    @property
    def category(self) -> Category:
        """The category itself, of the active taxonomy."""
        return Category(self.slug)

    def name(self, language: str) -> str:
        """Return its name in a language; in another one, or the slug, where there is none."""
        return in_language(self.names, language) or self.slug.replace("_", " ").replace("-", " ")

    def description(self, language: str) -> str:
        """Return what it covers, in a language or another one; empty where nothing was written."""
        return in_language(self.descriptions, language)

    def group_name(self, language: str) -> str:
        """Return the heading under which people find it; empty where there is none."""
        return in_language(self.group, language)


class Taxonomy(BaseModel):
    """Categories in a fixed order: a model's logit ``i`` is the category ``i``.

    Attributes:
        name: for people and for messages.
        version: edition of the guidelines, for people.
        task: what is sorted by what, as in "You sort texts by ...".
        languages: of the texts, ISO 639-1; the first one is the main one.
        none: the category that means "none of these"; None where there is none.
        removed: slugs of categories that there were; what holds one has to be decided anew.
        infos: the categories, ``[[category]]`` in the file.
        folder: where optional parts lie.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(min_length=1, max_length=MAX_NAME)
    version: str = "1"
    task: str = "texts by the category that they belong to"
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...] = ("en",)
    none: str | None = None
    removed: tuple[str, ...] = ()
    infos: tuple[CategoryInfo, ...] = Field(
        alias="category", min_length=2, max_length=MOST_CATEGORIES
    )
    folder: Path | None = Field(default=None, exclude=True)

    _positions: dict[str, int] = PrivateAttr(default_factory=dict)
    _members: tuple[Category, ...] = PrivateAttr(default=())
    _slugs: tuple[str, ...] = PrivateAttr(default=())
    _heirs: dict[str, list[int]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _index(self) -> Taxonomy:
        slugs = [info.slug for info in self.infos]
        _require_once("slug", slugs)
        # Kafka counts a dot and an underscore as one character in the names of its metrics.
        _require_once(
            "slug but for dots and underscores", [slug.replace(".", "_") for slug in slugs]
        )
        if self.none is not None and self.none not in slugs:
            raise ValueError(f"none = {self.none!r} is not the slug of a category")
        for i, info in enumerate(self.infos):
            for former in info.formerly:
                if former in slugs:
                    raise ValueError(f"{info.slug} cannot have been {former}: it is there as well")
                self._heirs.setdefault(former, []).append(i)
        self._slugs = tuple(slugs)
        self._positions = {slug: i for i, slug in enumerate(slugs)}
        self._members = tuple(str.__new__(Category, slug) for slug in slugs)
        return self

    @property
    def categories(self) -> tuple[Category, ...]:
        """All categories, by id."""
        return self._members

    @property
    def slugs(self) -> tuple[str, ...]:
        """Slugs of all categories, by id."""
        return self._slugs

    @property
    def none_id(self) -> int | None:
        """Id of the category that means "none of these"; None where there is none."""
        return None if self.none is None else self._positions[self.none]

    @cached_property
    def digest(self) -> str:
        """What a model depends on: the slugs in their order, and which of them means none.

        Names, descriptions and guidelines may change under a model; these may not.
        """
        lines = [*self.slugs, f"none={self.none or ''}"]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def category(self, slug: str) -> Category:
        """Return a category by its slug, or by one that it alone had formerly.

        Raises:
            UnknownCategory: there is none, or a former one was split.
        """
        heirs = self._heirs.get(slug, ()) if isinstance(slug, str) else ()
        if len(heirs) == 1:
            return self._members[heirs[0]]
        if heirs:
            now = ", ".join(self._slugs[i] for i in heirs)
            raise UnknownCategory(
                f"{slug!r} was split in the taxonomy {self.name!r}: it is now one of {now}"
            )
        return self._members[self.position(slug)]

    def read_as(self) -> dict[str, Category]:
        """Return the category of every slug that means one: today's, and former ones of one heir."""
        former = {slug: self._members[i[0]] for slug, i in self._heirs.items() if len(i) == 1}
        return former | dict(zip(self._slugs, self._members, strict=True))

    def heirs(self, slug: str) -> tuple[Category, ...]:
        """Return what a slug means now: itself, what it became, or nothing if it was removed."""
        if slug in self._positions:
            return (self._members[self._positions[slug]],)
        return tuple(self._members[i] for i in self._heirs.get(slug, ()))

    def position(self, slug: str) -> int:
        """Return a category's id.

        Raises:
            UnknownCategory: there is none with this slug.
        """
        try:
            return self._positions[slug]
        except (KeyError, TypeError):
            raise UnknownCategory(
                f"{slug!r} is not a category of the taxonomy {self.name!r}"
            ) from None

    def find(self, said: str) -> Category | None:
        """Return the category that people mean by a slug, a former one, or a name in any language.

        Case, spaces, hyphens and underscores do not matter. None: no category, or more than one.
        """
        found = self._by_name.get(_folded(said))
        return None if found is None else self._members[found]

    def called(self, said: str) -> tuple[Category, ...]:
        """Return all categories that have this name in some language, or came of the one with this slug.

        :meth:`find` takes none of several.
        """
        meant = _folded(said)
        named = dict.fromkeys((*self._named.get(meant, ()), *self._folded_heirs.get(meant, ())))
        return tuple(self._members[i] for i in named)

    @cached_property
    def _folded_heirs(self) -> Mapping[str, list[int]]:
        return {_folded(slug): heirs for slug, heirs in self._heirs.items()}

    @cached_property
    def _named(self) -> Mapping[str, list[int]]:
        named: dict[str, list[int]] = {}
        for i, info in enumerate(self.infos):
            for name in {_folded(name) for name in info.names.values()} - {""}:
                named.setdefault(name, []).append(i)
        return named

    @cached_property
    def _by_name(self) -> Mapping[str, int]:
        known = {name: i[0] for name, i in self._named.items() if len(i) == 1}
        former = {_folded(slug): i[0] for slug, i in self._heirs.items() if len(i) == 1}
        return known | former | {_folded(info.slug): i for i, info in enumerate(self.infos)}

    def part(self, name: str) -> Path | None:
        """Return an optional file of the taxonomy's folder, None where it has none.

        Raises:
            TaxonomyError: it is a link out of the folder. Who takes a taxonomy from somebody else must
                not send their own files to a language model.
        """
        path = None if self.folder is None else self.folder / name
        if self.folder is None or path is None or not path.is_file():
            return None
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise TaxonomyError(f"{path} is a link out of the taxonomy's folder", "copy the file")
        return path


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy.

    Args:
        path: its folder, or the ``taxonomy.toml`` in it.

    Raises:
        TaxonomyError: it cannot be read, or something in it is wrong; the message says where.
    """
    file = path / FILE if path.is_dir() else path
    try:
        data = read_toml(file)
    except OSError as error:
        raise TaxonomyError(
            f"the taxonomy {file} cannot be read: {error.strerror}",
            _WHICH,
        ) from None
    except tomllib.TOMLDecodeError as error:
        remedy = "correct that line" if file.suffix == Path(FILE).suffix else _WHICH
        raise TaxonomyError(f"{file} is not TOML: {error}", remedy) from None
    if not isinstance(data, dict) or "folder" in data:
        raise TaxonomyError(f"{file}: unknown entry folder", "remove it")
    try:
        return Taxonomy.model_validate({**data, "folder": file.resolve().parent})
    except ValidationError as error:
        raise TaxonomyError(f"{file}: {_first(data, error)}", "correct it") from None


def active_taxonomy() -> Taxonomy:
    """Return the taxonomy of this process.

    Raises:
        TaxonomyError: ``REVIEWS_TAXONOMY`` names one that cannot be read.
    """
    if _active is None:
        named = os.environ.get(VARIABLE)
        activate(load_taxonomy(Path(named) if named else MARKETPLACE))
    assert _active is not None  # noqa: S101 - activate() set it
    return _active


def is_active(path: Path) -> bool:
    """Tell whether the active taxonomy was read from this folder or file."""
    folder = (path if path.is_dir() else path.parent).resolve()
    return _active is not None and _active.folder == folder


def activate(taxonomy: Taxonomy) -> None:
    """Make a taxonomy this process's. Whatever holds categories of another one must be made anew."""
    global _active, _all, _read_as, _ids  # noqa: PLW0603 - one process, one taxonomy
    _active = taxonomy
    _all = taxonomy.categories
    _ids = {slug: i for i, slug in enumerate(taxonomy.slugs)}
    _read_as = taxonomy.read_as()


@contextmanager
def using(taxonomy: Taxonomy) -> Iterator[Taxonomy]:
    """Have another active taxonomy within a block: in tests, and where two are compared."""
    former = active_taxonomy()
    activate(taxonomy)
    try:
        yield taxonomy
    finally:
        activate(former)


def all_categories() -> tuple[Category, ...]:
    """Return all categories of the active taxonomy, by id."""
    return _all or active_taxonomy().categories


def category_count() -> int:
    """Return how many categories there are: the width of a model's output."""
    return len(all_categories())


def category_infos() -> tuple[CategoryInfo, ...]:
    """Return names and descriptions of all categories, by id."""
    return active_taxonomy().infos


def is_without_heir(slug: object) -> bool:
    """Tell whether a slug is of a category that was split or removed: what holds it is open again."""
    if not isinstance(slug, str):
        return False
    taxonomy = active_taxonomy()
    return len(taxonomy.heirs(slug)) > 1 or slug in taxonomy.removed


def inherited_shares(shares: Any) -> Any:
    """Return probabilities by category under today's slugs: those of merged ones are added up.

    Of a split category each heir gets an equal part; what was removed is left out. Slugs that were
    never known stay, and so does all where something is no number: whoever reads it next refuses it.
    """
    if not isinstance(shares, dict) or _ids.keys() >= shares.keys():
        return shares
    found: dict[str, Any] = {}
    try:
        for heirs, share in _with_heirs(shares):
            for heir in heirs:
                found[heir] = min(found.get(heir, 0.0) + share / len(heirs), 1.0)
    except (TypeError, OverflowError):
        return shares
    return found


def inherited_counts(counts: Any) -> Any:
    """Return counts by category under today's slugs; of split and removed categories there are none.

    What was never known, or is no count, stays as with :func:`inherited_shares`.
    """
    if not isinstance(counts, dict) or _ids.keys() >= counts.keys():
        return counts
    found: dict[str, dict[str, Any]] = {}
    try:
        for heirs, count in _with_heirs(counts):
            if len(heirs) == 1:
                known = found.setdefault(heirs[0], {})
                known |= {name: known.get(name, 0) + part for name, part in dict(count).items()}
    except (TypeError, OverflowError):
        return counts
    return found


def _with_heirs(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what each slug means today, and its value; one that was never known means itself."""
    taxonomy = active_taxonomy()
    for slug, value in values.items():
        heirs = taxonomy.heirs(slug)
        yield (heirs if heirs or slug in taxonomy.removed else (slug,)), value


_active: Taxonomy | None = None
# Of the active one, for what is looked up for every event: a model's private attributes are slow.
_all: tuple[Category, ...] = ()
_read_as: dict[str, Category] = {}
_ids: dict[str, int] = {}


def in_language(texts: Mapping[str, str], language: str) -> str:
    """Return a text in a language; in another one where there is none, and nothing where there is none."""
    found = texts.get(language) or texts.get(_ANY)
    return found or next(iter(texts.values()), "")


def _folded(said: str) -> str:
    """Return one form for all ways to write a name."""
    known = unicodedata.normalize("NFKC", said).casefold().replace("ё", "е")
    return " ".join(re.sub(r"[\s_-]+", " ", known).split())


def _require_once(what: str, values: list[str]) -> None:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"the same {what} twice: {', '.join(twice)}")


def _first(data: Mapping[str, Any], error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = list(first["loc"])
    rows = data.get("category")
    if len(where) > 1 and isinstance(rows, list) and isinstance(where[1], int):
        row = rows[where[1]]
        slug = row.get("slug") if isinstance(row, dict) else None
        where[:2] = [f"category {slug or where[1] + 1}"]
    named = ".".join(map(str, where))
    return f"{named}: {first['msg']}" if named else first["msg"]
