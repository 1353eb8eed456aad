"""What changed between two taxonomies, and what that means for topics, labels, tasks and models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas import Taxonomy, TopicNames, using

Kind = Literal["added", "renamed", "merged", "split", "removed", "unexplained", "moved", "none"]


@dataclass(frozen=True, slots=True)
class TaxonomyChange:
    """One change.

    Attributes:
        kind: what happened; ``unexplained``: a slug is gone and nothing says what became of it.
        before: slugs in the old taxonomy.
        after: slugs in the new one.
    """

    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do, in order, and what happens by itself.

    Attributes:
        topics_to_create: of new slugs.
        topics_left: of old slugs: nothing is published there any more.
        commands: to run.
        notes: what becomes of what there is.
    """

    topics_to_create: tuple[str, ...]
    topics_left: tuple[str, ...]
    commands: tuple[str, ...]
    notes: tuple[str, ...]


def changes(old: Taxonomy, new: Taxonomy) -> list[TaxonomyChange]:
    """Return what changed, by the new taxonomy's ``formerly`` and ``removed``."""
    found = [*_changed(old, new)]
    kept = [slug for slug in old.slugs if slug in new.slugs]
    if kept != [slug for slug in new.slugs if slug in old.slugs]:
        found.append(TaxonomyChange("moved", tuple(kept), ()))
    if old.none != new.none and not (old.none and new.none in new.heirs(old.none)):
        found.append(TaxonomyChange("none", (old.none or "",), (new.none or "",)))
    return found


def _changed(old: Taxonomy, new: Taxonomy) -> Iterator[TaxonomyChange]:
    former: dict[str, list[str]] = {slug: [] for slug in new.slugs}
    for slug in old.slugs:
        heirs = new.heirs(slug)
        if heirs == (slug,):
            continue
        if not heirs:
            yield TaxonomyChange("removed" if slug in new.removed else "unexplained", (slug,), ())
        elif len(heirs) > 1:
            yield TaxonomyChange("split", (slug,), tuple(map(str, heirs)))
        else:
            former[heirs[0]].append(slug)
    split = {slug for old_slug in old.slugs for slug in new.heirs(old_slug) if slug != old_slug}
    for slug, before in former.items():
        stays = (slug,) if slug in old.slugs else ()
        if len(before) + len(stays) > 1:
            yield TaxonomyChange("merged", (*stays, *before), (slug,))
        elif before:
            yield TaxonomyChange("renamed", (before[0],), (slug,))
        elif not stays and slug not in split:
            yield TaxonomyChange("added", (), (slug,))


def steps(old: Taxonomy, new: Taxonomy, found: list[TaxonomyChange], topics: TopicNames) -> Steps:
    """Return what to do about changes.

    Args:
        old: the taxonomy in force.
        new: the one to come.
        found: see :func:`changes`.
        topics: names of the topics.
    """
    with using(old):
        before = set(topics.categories)
    with using(new):
        after = set(topics.categories)
    kinds = {change.kind for change in found}
    commands = []
    if after - before:
        commands.append("reviews topics create")
    if found:
        commands.append("reviews retrain --frozen LABELS.csv, or reviews train FAMILY LABELS.csv")
        commands.append("reviews queue rebuild")
    return Steps(
        tuple(sorted(after - before)),
        tuple(sorted(before - after)),
        tuple(commands),
        tuple(_notes(kinds)),
    )


def _notes(kinds: set[Kind]) -> Iterator[str]:
    if not kinds:
        yield "models, topics and labels stay as they are"
        return
    yield "models: those of the old taxonomy are refused; train one before workers are restarted"
    if kinds & {"renamed", "merged"}:
        yield (
            "labels, files and open tasks with a former slug are read as what it became; nothing on "
            "Kafka is rewritten"
        )
    if "split" in kinds:
        yield "labels of a split category are left out; their reviews are asked about again"
    if kinds & {"removed", "unexplained"}:
        yield "labels of a removed category are left out; their reviews are asked about again"
    if kinds & {"renamed", "merged", "split", "removed"}:
        yield "old category topics keep what they hold until their retention ends; consumers move on"
