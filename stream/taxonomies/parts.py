"""The optional parts of a taxonomy's folder: what each is for, and what is missing without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from schemas import Taxonomy, using
from schemas.toml import read_toml
from stream.errors import ReviewsError
from stream.files.labels import label_rows, open_labels
from stream.files.rows import BadRow
from stream.listing import some

_FEW_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Part:
    """An optional file.

    Attributes:
        name: of the file.
        use: what it is for.
        without: what happens where it is absent.
    """

    name: str
    use: str
    without: str


PARTS: Final = (
    Part("guidelines.toml", "rules that people read in the queue", "the queue shows names only"),
    Part("rules.toml", "words for the labeller of rules", "that labeller abstains"),
    Part("dictionary.toml", "facets for the labeller of word vectors", "that labeller abstains"),
    Part("hypotheses.toml", "what an NLI model is asked", "it is asked by the categories' names"),
    Part("prompt.md", "instructions for an LLM", "it gets names and descriptions"),
    Part("examples.jsonl", "labelled texts to train on", "name files with `reviews train FAMILY`"),
    Part(
        "heldout.jsonl",
        "labelled texts to measure on",
        "name some: `--test`, REVIEWS_LEARNING__FROZEN",
    ),
    Part("canaries.jsonl", "texts that every model must get right", "the gate tries none"),
    Part(
        "demo.jsonl",
        "the stream that `reviews demo` plays",
        "name a file: `reviews demo --input FILE`",
    ),
    Part("templates.toml", "sentences for `reviews label augment`", "it needs --llm"),
)


@dataclass(frozen=True, slots=True)
class PartFinding:
    """One thing that was looked at.

    Attributes:
        subject: file or property.
        state: `good`, `absent` (optional), `weak` (works, but could be better) or `wrong`.
        said: what was found, and what it costs.
    """

    subject: str
    state: Literal["good", "absent", "weak", "wrong"]
    said: str


def check(taxonomy: Taxonomy) -> list[PartFinding]:
    """Look through a taxonomy that could be read; worst first is up to whoever shows it."""
    return [*_own(taxonomy), *(_of_part(taxonomy, part) for part in PARTS)]


def _own(taxonomy: Taxonomy) -> Iterator[PartFinding]:
    count = len(taxonomy.infos)
    yield PartFinding("categories", "good", f"{count}, in {', '.join(taxonomy.languages)}")
    if taxonomy.none is None:
        said = (
            "no category means “none of these”: whatever comes gets one of them, or is asked about; "
            "`reviews train --foreign 0.05` keeps the precision although so much of it is foreign"
        )
        yield PartFinding("none of these", "weak", said)
    else:
        yield PartFinding("none of these", "good", taxonomy.none)
    bare = [info.slug for info in taxonomy.infos if not any(info.descriptions.values())]
    if bare:
        said = f"{len(bare)} of {count} have none: people, NLI models and LLMs go by names alone"
        yield PartFinding("descriptions", "weak", said)
    else:
        yield PartFinding("descriptions", "good", "all")
    alike = list(_alike(taxonomy))
    if same := _same(taxonomy):
        said = f"the same: {'; '.join(same[:5])}: labels that say the name, and not the slug, are unknown"
        yield PartFinding("names", "weak", said)
    if alike:
        yield PartFinding("names", "weak", f"nearly the same: {'; '.join(alike[:5])}")


def _same(taxonomy: Taxonomy) -> list[str]:
    """Return which categories have a name in common, in whatever language."""
    named = (taxonomy.called(name) for info in taxonomy.infos for name in info.names.values())
    return list(dict.fromkeys(" and ".join(each) for each in named if len(each) > 1))


def _alike(taxonomy: Taxonomy) -> Iterator[str]:
    """Yield pairs of names that differ by no whole word, or by one of several; not those that are one."""
    words = [(info, frozenset(info.name("en").casefold().split())) for info in taxonomy.infos]
    for i, (one, mine) in enumerate(words):
        for other, theirs in words[i + 1 :]:
            same = one.name("en").casefold() == other.name("en").casefold()
            by_one = min(len(mine), len(theirs)) >= _FEW_EXAMPLES and len(mine ^ theirs) == 1
            if not same and (mine == theirs or by_one):
                yield f"{one.slug} and {other.slug}"


def _of_part(taxonomy: Taxonomy, part: Part) -> PartFinding:
    try:
        path = taxonomy.part(part.name)
        if path is None:
            return _absent(taxonomy, part)
        named = _labelled_by(taxonomy, path) if path.suffix == ".jsonl" else set(_named(path))
    except ReviewsError as error:
        return PartFinding(part.name, "wrong", error.message)
    except (OSError, ValueError) as error:
        return PartFinding(part.name, "wrong", str(error))
    return _by_categories(taxonomy, part, named)


def _absent(taxonomy: Taxonomy, part: Part) -> PartFinding:
    # What is no file is left out as if it were absent, and its maker thinks that it is read.
    if taxonomy.folder is not None and os.path.lexists(taxonomy.folder / part.name):
        return PartFinding(part.name, "wrong", "it is no file: a folder, or a link to nothing")
    return PartFinding(part.name, "absent", f"{part.use}; without it {part.without}")


def _by_categories(taxonomy: Taxonomy, part: Part, named: set[str]) -> PartFinding:
    unknown = sorted(slug for slug in named if not taxonomy.heirs(slug))
    if unknown:
        return PartFinding(part.name, "wrong", f"no such category: {', '.join(unknown[:5])}")
    held = {heir.slug for slug in named for heir in taxonomy.heirs(slug)}
    absent = [slug for slug in taxonomy.slugs if slug not in held]
    if named and absent:
        return PartFinding(
            part.name, "weak", f"{part.use}; nothing of {some(absent, most=_FEW_EXAMPLES)}"
        )
    former = sorted(named - set(taxonomy.slugs))
    said = f"; by former slugs: {some(former, most=_FEW_EXAMPLES)}" if former else ""
    return PartFinding(part.name, "good", part.use + said)


def _labelled_by(taxonomy: Taxonomy, path: Path) -> set[str]:
    """Return the slugs, today's and former ones, that a file of labelled texts names.

    It is read as those who use it read it, whatever its encoding and however it names categories.

    Raises:
        InputError: it cannot be read.
        ValueError: a row is none, or it holds no labelled text; the message says where.
    """
    named = set[str]()
    with using(taxonomy), open_labels(path) as table:
        for row in label_rows(table):
            if isinstance(row, BadRow):
                raise _wrong(row)
            found = row.category()
            if isinstance(found, BadRow):
                raise _wrong(found)
            said = row.said[0]
            named.add(said if taxonomy.heirs(said) else found.slug)
    if not named:
        raise ValueError("it holds no labelled text")
    return named


def _wrong(row: BadRow) -> ValueError:
    return ValueError(f"line {row.line}: {row.problem}")


def _named(path: Path) -> Iterator[str]:
    """Yield the categories that a part in TOML names.

    Raises:
        ValueError: it is no TOML; the message says where.
    """
    if path.suffix == ".toml":
        data = read_toml(path)
        yield from data.get("phrases", {})
        yield from data.get("aspect", {})
        for rows in data.values():
            for row in rows if isinstance(rows, list) else ():
                yield from _in_row(row)


def _in_row(row: Any) -> Iterator[str]:
    if not isinstance(row, dict):
        return
    if isinstance(row.get("category"), str):
        yield row["category"]
    examples = row.get("examples")
    for found in examples.values() if isinstance(examples, dict) else ():
        for example in found:
            yield str(example[-1])
