"""A taxonomy proposed from labels: what `reviews taxonomy init` writes for people to edit."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.taxonomy import MOST_CATEGORIES
from stream.errors import InputError
from stream.taxonomies.languages import languages_of
from stream.taxonomies.slugs import name_of, slug_of
from stream.taxonomies.spellings import folded, groups_of, misspelled
from stream.taxonomies.words import MixedUp, TellingWord, WordCounts
from stream.text import normalize

# What people call the category of what fits no other.
_NONE: Final = frozenset(
    {"none", "other", "others", "misc", "miscellaneous", "oos", "out-of-scope", "no-category"}
    | {"ood", "out-of-domain", "nothing", "no-intent", "unrelated", "irrelevant", "not-applicable"}
    | {
        "none-of-these",
        "unknown",
        "drugoe",
        "prochee",
        "raznoe",
        "net",
        "inoe",
        "ostalnoe",
        "no-product",
    }
    # In German, Spanish, French, Italian, Portuguese, Dutch.
    | {
        "sonstiges",
        "sonstige",
        "andere",
        "anderes",
        "otro",
        "otros",
        "otra",
        "otras",
        "autre",
        "autres",
    }
    | {"divers", "altro", "altri", "outro", "outros", "outras", "overig", "overige", "anders"}
)
_LEAST_CATEGORIES: Final = 2
_EXAMPLES: Final = 3
_EXAMPLE_CHARS: Final = 120
# What stands between labels where somebody has written several into one cell.
_BETWEEN: Final = re.compile(r"[/,;|+&]")


@dataclass(frozen=True, slots=True)
class ProposedCategory:
    """One label, as a category.

    Attributes:
        slug: its slug.
        label: as the file has it.
        name: for people.
        texts: how many there are.
        telling: words that speak for it.
        examples: some of its texts, of middling length.
        group: the heading that its label begins with ("Group > Label"); empty where it names none.
        spellings: what the file calls it, where neither slug nor name would be found by that.
    """

    slug: str
    label: str
    name: str
    texts: int
    telling: tuple[TellingWord, ...]
    examples: tuple[str, ...]
    group: str = ""
    spellings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """Categories from labels, and what is to be looked at in them.

    Attributes:
        categories: the most frequent first, what means "none of these" last.
        none: slug of that one; None where no label sounds so.
        languages: of the texts, ISO 639-1, the main one first; nothing where one is not known.
        agreement: share of texts whose label a model of words finds without having seen the text.
        mixed_up: pairs that it takes for each other, ids by the order of ``categories``.
        contradicting: texts that stand under two labels.
        joined: labels such as "A / B" where A and B are labels, too.
        misspelled: labels of few texts, with the frequent one that each is probably meant to be.
    """

    categories: tuple[ProposedCategory, ...]
    none: str | None
    languages: tuple[str, ...]
    agreement: float
    mixed_up: tuple[MixedUp, ...]
    contradicting: int
    joined: tuple[str, ...] = ()
    misspelled: tuple[tuple[str, str], ...] = ()


def propose(rows: Iterable[tuple[str, str]], none: str | None = None) -> Proposal:
    """Propose categories.

    Args:
        rows: a text and its label each. Labels that differ in case, spaces or accents are one, called as most
            rows write it.
        none: the label that means "none of these", where it does not sound so.

    Raises:
        InputError: fewer than two labels or too many, two labels that make one slug, or ``none`` is no label.
    """
    texts_of, spellings = _by_label(rows)
    if len(texts_of) < _LEAST_CATEGORIES:
        raise InputError(
            f"{len(texts_of)} label in the file: nothing to tell apart",
            "name the column of labels with --label-column",
        )
    if len(texts_of) > MOST_CATEGORIES:
        raise InputError(
            f"{len(texts_of):,} labels in the file, and a taxonomy has at most {MOST_CATEGORIES:,}",
            "name the column of labels with --label-column",
        )
    grouped = groups_of(list(texts_of))
    slugs = _slugs(texts_of, grouped)
    means_none = _meaning_none(slugs, none)
    labels = sorted(
        texts_of, key=lambda label: (label == means_none, -len(texts_of[label]), slugs[label])
    )
    texts = [text for label in labels for text in texts_of[label]]
    truth = np.repeat(np.arange(len(labels)), [len(texts_of[label]) for label in labels])
    counts = WordCounts(texts, truth.tolist(), len(labels))
    guesses = counts.guesses()
    return Proposal(
        categories=tuple(
            ProposedCategory(
                slug=slugs[label],
                label=label,
                name=grouped[label][1] if label in grouped else name_of(label),
                texts=len(texts_of[label]),
                telling=tuple(counts.telling(number)) if label != means_none else (),
                examples=_examples(texts_of[label]),
                group=grouped[label][0] if label in grouped else "",
                spellings=_unfound(label, spellings[label], named=label not in grouped),
            )
            for number, label in enumerate(labels)
        ),
        none=slugs[means_none] if means_none is not None else None,
        languages=languages_of(texts),
        agreement=float((guesses == truth).mean()),
        mixed_up=tuple(counts.mixed_up(guesses)),
        contradicting=_contradicting(texts_of),
        joined=_joined(labels),
        misspelled=misspelled({label: len(found) for label, found in texts_of.items()}),
    )


def _meaning_none(slugs: Mapping[str, str], none: str | None) -> str | None:
    """Return the label that means "none of these": the one that is said to, or that sounds so."""
    if none is None:
        return next((label for label in slugs if _sounds_like_none(slugs[label])), None)
    for label in slugs:
        if folded(label) == folded(none):
            return label
    raise InputError(f"no text has the label {none!r}", "name one as the file writes it")


def _by_label(
    rows: Iterable[tuple[str, str]],
) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Return the texts of each label, and the ways in which the file writes it, the commonest first."""
    texts_of: dict[str, list[str]] = defaultdict(list)
    written: dict[str, Counter[str]] = defaultdict(Counter)
    for text, label in rows:
        meant = folded(label)
        texts_of[meant].append(text)
        written[meant][" ".join(label.split())] += 1
    ways = {meant: tuple(way for way, _ in count.most_common()) for meant, count in written.items()}
    return (
        {ways[meant][0]: texts for meant, texts in texts_of.items()},
        {found[0]: found for found in ways.values()},
    )


def _unfound(label: str, ways: Sequence[str], *, named: bool) -> tuple[str, ...]:
    """Return the ways to write a label that differ in more than case, without it if it is the name."""
    found = {way.casefold(): way for way in reversed(ways)}
    if named:
        del found[label.casefold()]
    return tuple(sorted(found.values()))


def _joined(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels that are several others in one; a slash alone says nothing: "Home / Garden" is one."""
    known = {folded(label) for label in labels}
    return tuple(
        label
        for label in labels
        if len(parts := _BETWEEN.split(label)) > 1 and known.issuperset(map(folded, parts))
    )


def _sounds_like_none(slug: str) -> bool:
    return re.sub(r"[._]", "-", slug) in _NONE


def _slugs(labels: Iterable[str], grouped: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return a slug each: of the own name where that is the only one, else with the group before it."""
    names = Counter(slug_of(name) for _, name in grouped.values())
    slugs: dict[str, str] = {}
    owner: dict[str, str] = {}
    for number, label in enumerate(labels, start=1):
        own = slug_of(grouped[label][1]) if label in grouped else ""
        slug = (own if names[own] == 1 else slug_of(label)) or f"category-{number}"
        if (other := owner.setdefault(slug, label)) != label:
            raise InputError(
                f"the labels {other!r} and {label!r} would both be {slug}",
                "write one of them otherwise, or both alike if they mean the same",
            )
        slugs[label] = slug
    return slugs


def _examples(texts: Sequence[str]) -> tuple[str, ...]:
    short = sorted({" ".join(text.split()) for text in texts}, key=lambda text: (len(text), text))
    fitting = [text for text in short if len(text) <= _EXAMPLE_CHARS] or [short[0][:_EXAMPLE_CHARS]]
    step = max(len(fitting) // (_EXAMPLES + 1), 1)
    return tuple(fitting[step::step][:_EXAMPLES] or fitting[:1])


def _contradicting(texts_of: dict[str, list[str]]) -> int:
    labels: dict[str, set[str]] = defaultdict(set)
    for label, texts in texts_of.items():
        for text in texts:
            labels[normalize(text)].add(label)
    return sum(len(found) > 1 for found in labels.values())
