"""What differs between two versions: decision rule, size, training data, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas import all_categories
from stream.model.folder import Manifest
from training.registry.records import VersionRecord


@dataclass(frozen=True, slots=True)
class Difference:
    """One property in which two versions differ."""

    what: str
    before: str
    after: str


def differences(
    before: tuple[VersionRecord, Manifest], after: tuple[VersionRecord, Manifest]
) -> list[Difference]:
    """Return every property in which two versions differ; what is equal is left out."""
    old, new = dict(_properties(*before)), dict(_properties(*after))
    return [
        Difference(what, old.get(what, "-"), new.get(what, "-"))
        for what in dict.fromkeys((*old, *new))
        if old.get(what) != new.get(what)
    ]


def _properties(record: VersionRecord, manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "content version", record.version
    yield "family", record.family
    yield "size", f"{record.size_bytes / 1e6:.1f} MB"
    yield "longest text", f"{manifest.max_length} word pieces"
    yield "temperature", f"{manifest.temperature:.3f}"
    for category in all_categories():
        yield f"threshold {category.slug}", f"{manifest.thresholds[category]:.3f}"
    yield "training set", record.training_digest[:12] or "-"
    for name, value in sorted(record.metrics.items()):
        yield f"metric {name}", f"{value:.4f}"
    for name, count in sorted(_counts(record).items()):
        yield f"trained on {name}", str(count)
    for name, digest in manifest.files.items():
        yield f"file {name}", digest[:12]


def _counts(record: VersionRecord) -> dict[str, int]:
    counts = record.lineage.get("rows_by_origin", {})
    return {str(k): int(v) for k, v in counts.items()} if isinstance(counts, dict) else {}
