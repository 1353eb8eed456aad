"""Sentences about products that the real stream hardly holds, composed from templates.

They teach what things are called, and nothing else: the same openings are used for every category,
so that no opening gives a category away. Names and templates are kept in the two TOML files beside
this module.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas import Category, active_taxonomy, all_categories, category_count
from schemas.toml import read_toml
from training.data.dataset import Dataset, join, labelled
from training.data.origins import Origin
from training.errors import LabellerUnavailable, RulesError
from training.words.morphology import analyzer

PRODUCTS: Final = "products.toml"
TEMPLATES: Final = "templates.toml"
_REMEDY: Final = "see those of the bundled taxonomy"
_FORM: Final = re.compile(r"\[([^\[\]]*)\]")
# Shares of sentences with a second and a third part; most real reviews say more than one thing.
_ASPECT, _GENERAL = 0.55, 0.45
# Shoppers hardly begin with a capital and hardly end with a full stop.
_LOWER: Final = 0.5
# One in this many sentences of a category that borrows is about goods of another one.
_BORROWED: Final = 3


@dataclass(frozen=True, slots=True)
class Product:
    """A product's name in the three cases that the templates ask for, and how others agree with it."""

    nominative: str
    accusative: str
    genitive: str
    agreement: int
    """0 masculine, 1 feminine, 2 neuter, 3 plural: the place of the form in ``[he|she|it|they]``."""

    @classmethod
    def named(cls, name: str) -> Product:
        """Inflect a name; ``+`` at its end says that it is plural."""
        plural = name.endswith("+")
        words = name.rstrip("+").split(" ")
        number = "plur" if plural else "sing"
        analyses, head = [], 0
        for place, word in enumerate(words):
            parse = _parse(word, number)
            analyses.append(parse)
            head = place
            if parse is None or parse.tag.POS == "NOUN":
                break
        noun = analyses[head]
        gender = None if noun is None else noun.tag.gender
        agreement = 3 if plural else {"masc": 0, "femn": 1, "neut": 2}.get(str(gender), 0)

        def in_case(case: str) -> str:
            forms = [_inflected(p, w, case, number) for p, w in zip(analyses, words, strict=False)]
            return " ".join([*forms, *words[len(forms) :]])

        # Things: only the feminine singular has an accusative of its own.
        nominative = " ".join(words)
        accusative = in_case("accs") if agreement == 1 else nominative
        return cls(nominative, accusative, in_case("gent"), agreement)


def _parse(word: str, number: str) -> Any:
    """Return the analysis of a word as a nominative, or None for what is no Russian word."""
    found = [
        parse
        for parse in analyzer().parse(word)
        if parse.tag.case == "nomn"
        and parse.tag.number == number
        and parse.tag.POS in {"NOUN", "ADJF"}
    ]
    return found[0] if found else None


def _inflected(parse: Any, word: str, case: str, number: str) -> str:
    if parse is None:
        return word
    form = parse.inflect({case, number})
    return word if form is None else str(form.word)


class Templates:
    """What the two files hold: names by category, and the parts of a sentence."""

    def __init__(self, products: Mapping[str, str], parts: Mapping[str, Any]) -> None:
        self.names: dict[Category, list[str]] = {
            Category(slug): [name.strip() for name in names.split(",") if name.strip()]
            for slug, names in products.items()
        }
        self.opening: Sequence[str] = parts["opening"]
        self.general: Sequence[str] = parts["general"]
        self.child: Sequence[str] = parts["child"]
        self.aspect: dict[Category, Sequence[str]] = {
            Category(slug): lines for slug, lines in parts["aspect"].items()
        }
        self.borrows: dict[Category, Sequence[Category]] = {
            Category(slug): [Category(other) for other in others]
            for slug, others in parts.get("borrows", {}).items()
        }

    @classmethod
    def load(cls, folder: Path | None = None) -> Templates:
        """Read ``products.toml`` and ``templates.toml``, the active taxonomy's unless others are named.

        Raises:
            LabellerUnavailable: the taxonomy has none.
            RulesError: one is absent or wrong; the message says where.
        """
        taxonomy = active_taxonomy()
        folder = folder or taxonomy.folder
        if folder is None or (folder == taxonomy.folder and not taxonomy.part(TEMPLATES)):
            raise LabellerUnavailable(
                f"the taxonomy {taxonomy.name!r} has no {TEMPLATES}",
                "write one as in the bundled taxonomy, or add --llm",
            )
        products, parts = _toml(folder / PRODUCTS), _toml(folder / TEMPLATES)
        try:
            templates = cls(products, parts)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RulesError(f"the templates in {folder} are wrong: {error}", _REMEDY) from None
        templates.check(folder)
        return templates

    def check(self, folder: Path) -> None:
        """Fill every template once.

        Raises:
            RulesError: a category has no products or no aspects, or a template cannot be filled.
        """
        product = Product("вилка", "вилку", "вилки", 1)
        for category in all_categories():
            if not self.names.get(category) or not self.aspect.get(category):
                raise RulesError(f"{folder} has no products or aspects of {category}", _REMEDY)
        for line in (
            *self.opening,
            *self.child,
            *(a for lines in self.aspect.values() for a in lines),
        ):
            try:
                fill(line, product)
            except (KeyError, ValueError, IndexError) as error:
                raise RulesError(f"{folder}: {line!r} cannot be filled: {error}", _REMEDY) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise RulesError(f"{path} cannot be read: {error.strerror}", _REMEDY) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{path} is not TOML: {error}", _REMEDY) from None


def bundled_templates() -> Templates:
    """Return the active taxonomy's templates, read once."""
    return _templates_of(active_taxonomy().folder)


@lru_cache(maxsize=2)
def _templates_of(folder: Path | None) -> Templates:
    return Templates.load(folder)


@lru_cache(maxsize=4096)
def _product(name: str) -> Product:
    return Product.named(name)


def fill(template: str, product: Product) -> str:
    """Put a product into a template.

    >>> fill("[Тот|Та|То|Те] {nom}", Product("вилка", "вилку", "вилки", 1))
    'Та вилка'
    """

    def agreeing(match: re.Match[str]) -> str:
        forms = match.group(1).split("|")
        return forms[min(product.agreement, len(forms) - 1)]

    return _FORM.sub(agreeing, template).format(
        nom=product.nominative,
        Nom=product.nominative[:1].upper() + product.nominative[1:],
        acc=product.accusative,
        gen=product.genitive,
    )


def sentences(
    category: Category, count: int, rng: np.random.Generator, templates: Templates | None = None
) -> list[str]:
    """Compose sentences about products of a category; every name occurs before any occurs again.

    Args:
        category: of the products.
        count: how many.
        rng: decides everything.
        templates: the bundled ones if None.
    """
    parts = templates or bundled_templates()
    names = parts.names[category]
    order = np.concatenate([rng.permutation(len(names)) for _ in range(count // len(names) + 1)])
    out = []
    for number, place in enumerate(order[:count]):
        openings, aspects, name = parts.opening, parts.aspect[category], names[place]
        if (others := parts.borrows.get(category)) and number % _BORROWED == 0:
            other = others[int(rng.integers(len(others)))]
            name, openings = _any(parts.names[other], rng), parts.child
            aspects = parts.aspect[other]
        out.append(_sentence(_product(name), openings, aspects, parts.general, rng))
    return out


def synthetic_dataset(rows: int, seed: int, weight: float) -> Dataset:
    """Compose as many sentences for each category as for any other.

    Args:
        rows: in all.
        seed: of everything random.
        weight: of every row.
    """
    rng = np.random.default_rng(seed)
    each = rows // category_count()
    return join(
        *(
            labelled(sentences(category, each, rng), [category.id] * each, Origin.SYNTHETIC, weight)
            for category in all_categories()
        )
    )


def _sentence(
    product: Product,
    openings: Sequence[str],
    aspects: Sequence[str],
    general: Sequence[str],
    rng: np.random.Generator,
) -> str:
    parts = [fill(_any(openings, rng), product)]
    if rng.random() < _ASPECT:
        parts.append(fill(_any(aspects, rng), product))
    if rng.random() < _GENERAL:
        parts.insert(int(rng.integers(len(parts) + 1)), _any(general, rng))
    mark = _any((". ", ", ", " ", "! "), rng)
    text = mark.join(part.strip() for part in parts)
    return text.lower() if rng.random() < _LOWER else text


def _any(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
