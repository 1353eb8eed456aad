"""The training set of a retraining: people's decisions, the ensemble's, the LLM's, and a base."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from schemas import RANK, Label, all_categories, category_count
from stream.queue.label_topic import ReadLabels
from stream.sampling import in_sample
from stream.text import fingerprint, normalize
from training.data.dataset import Dataset, join, labelled, read_rows
from training.data.files import SYNTHETIC
from training.data.origins import Origin
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.gate.audits import AuditedStream
from training.gate.frozen import FrozenSet
from training.registry.records import now
from training.retrain.labels import standing
from training.retrain.lineage import LabelsRead, Lineage, SourceFile

WEIGHT: Final[Mapping[Origin, float]] = {
    Origin.PERSON: 1.0,
    Origin.ENSEMBLE: 0.7,
    Origin.LLM: 0.4,
    Origin.MODEL: 0.2,
}
"""How far each is trusted: an ensemble decides at 95% precision, an LLM alone at less."""
PEOPLE: Final = "people"
AUDITS: Final = "audits"
# With fewer, an interval says nothing; they are kept out of training all the same.
_LEAST_HELD_OUT: Final = 10


@dataclass(frozen=True, slots=True)
class Assembled:
    """What to train on, what to compare on, and where all of it comes from."""

    training: Dataset
    frozen: list[FrozenSet]
    lineage: Lineage
    audits: AuditedStream | None = None
    """Of what the serving model published; kept out of the training set."""


def read_base(
    paths: Sequence[Path], unstated: Unstated = PERSON_ASSUMED
) -> list[tuple[str, Dataset]]:
    """Read base sets: labelled reviews, or datasets that an earlier run wrote.

    Args:
        paths: of the files.
        unstated: what is assumed of labelled reviews that do not say who decided.

    Raises:
        DataError: one is absent or neither.
    """
    return [(path.stem, read_rows(path, unstated)) for path in paths]


def assemble(
    read: ReadLabels,
    topic: str,
    base: Sequence[tuple[str, Dataset]],
    frozen: Sequence[FrozenSet],
    held_out_share: float,
    audits: AuditedStream | None = None,
) -> Assembled:
    """Make the training set and its lineage.

    No text of a frozen set is trained on. A share of the texts that people decided is held out by
    a hash of the text, the same in every retraining, and becomes a frozen set of its own. A text
    in the base gives way to what was decided since. Texts by which the serving model is audited are
    kept out as long as it serves; once another serves, they teach like all that people decided.

    Args:
        read: the labels.
        topic: that they were read from.
        base: named sets that every training begins with.
        frozen: sets to compare models on.
        held_out_share: of the texts that people decided.
        audits: of what the serving model published.
    """
    kept, dropped = standing(read.labels)
    decided, held_out, counts = _by_text(kept, held_out_share)
    sets = list(frozen)
    if len(held_out) >= _LEAST_HELD_OUT:
        sets.append(FrozenSet(PEOPLE, held_out))
    everything_frozen = [*(s.rows for s in sets), held_out]
    not_frozen = decided.without_texts_of(*everything_frozen)
    if audits is not None:
        everything_frozen.append(audits.rows)
    training = not_frozen.without_texts_of(*everything_frozen)
    bases = [(name, rows.without_texts_of(training, *everything_frozen)) for name, rows in base]
    dataset = join(training, *(rows for _, rows in bases))
    compared_on = [(s.name, s.rows) for s in sets]
    if audits is not None and len(audits.rows):
        compared_on.append((AUDITS, audits.rows))
    labels = LabelsRead(
        topic=topic,
        offsets=dict(sorted(read.offsets.items())),
        read=len(read.labels),
        unreadable=read.unreadable,
        reviews=len(kept),
        decided_by=_count(label.decided_by for label in kept),
        codebook_versions=_count(label.codebook_version for label in kept),
        dropped=dropped,
        same_text=counts["same_text"],
        contradicted=counts["contradicted"],
        held_out=len(held_out),
        in_frozen_sets=len(decided) - len(not_frozen),
        audited=len(not_frozen) - len(training),
    )
    lineage = Lineage(
        made_at=now(),
        digest=dataset.digest,
        rows=len(dataset),
        rows_by_origin={str(origin): rows for origin, rows in dataset.origins().items()},
        rows_by_category=_count(all_categories()[i].slug for i in dataset.categories),
        labels=labels,
        base=tuple(SourceFile(name=n, rows=len(d), digest=d.digest) for n, d in bases),
        frozen=tuple(
            SourceFile(name=name, rows=len(rows), digest=rows.digest) for name, rows in compared_on
        ),
    )
    return Assembled(dataset, sets, lineage, audits)


def _by_text(kept: Sequence[Label], share: float) -> tuple[Dataset, Dataset, dict[str, int]]:
    """Make one row of all labels of one text: the best rank speaks, equals share."""
    by_text: dict[str, list[Label]] = {}
    for label in kept:
        by_text.setdefault(normalize(label.text), []).append(label)
    training, held_out = [], []
    contradicted = 0
    for text, said in sorted(by_text.items()):
        rank = max(RANK[label.decided_by] for label in said)
        heard = [label for label in said if RANK[label.decided_by] == rank]
        contradicted += len({label.category for label in heard}) > 1
        by_person = Origin(heard[0].decided_by).by_person
        generated = any(label.review_id.startswith(SYNTHETIC) for label in said)
        if by_person and not generated and in_sample(share, fingerprint(text), "held-out"):
            held_out.append(heard)
        else:
            training.append(heard)
    counts = {"same_text": len(kept) - len(by_text), "contradicted": contradicted}
    return _rows(training), _rows(held_out), counts


def _rows(groups: Sequence[Sequence[Label]]) -> Dataset:
    if not groups:
        return labelled([], [], Origin.PERSON)
    probabilities = np.zeros((len(groups), category_count()), dtype=np.float32)
    for i, group in enumerate(groups):
        for label in group:
            if label.category is not None:  # `standing` leaves no other
                probabilities[i, label.category.id] += 1 / len(group)
    weights = np.array([WEIGHT[Origin(group[0].decided_by)] for group in groups], dtype=np.float32)
    origins = [_origin(group) for group in groups]
    return Dataset([group[0].text for group in groups], probabilities, weights, origins)


def _origin(group: Sequence[Label]) -> Origin:
    """Return whose label a text has; of a generated text nothing is measured, whoever decided it."""
    generated = any(label.review_id.startswith(SYNTHETIC) for label in group)
    return Origin.SYNTHETIC if generated else Origin(group[0].decided_by)


def _count(values: Iterable[str]) -> dict[str, int]:
    return {str(k): n for k, n in Counter(values).most_common()}
