"""Five streams that change half-way: when is it noticed, by whom, and what is published meanwhile.

    python -m tests.bench.changing_streams --data FOLDER --older FOLDER --out FOLDER

The texts go through the real model, strange texts and thresholds included; reviews are then drawn with
replacement from what it said of labelled ones. Audits, evidence and estimate are the product's own code.
Peers look at the same reviews: ``peers_quality.py``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas import CONFIDENCE_BINS, Category, all_categories, category_count
from stream.audit.sampling import AuditSample
from stream.guard.estimate import estimate
from stream.guard.evidence import evidence, needed
from stream.model.classifier import Classifier
from stream.monitor.drift import psi, psi_beyond_chance
from stream.settings import AuditSettings
from stream.text import normalize

HALF: Final = 100_000
REPEATS: Final = 10
SHARE: Final = 0.01
WINDOW: Final = 2_000
STEP: Final = 500
ENOUGH: Final = 200
SHORTFALL: Final = 0.01
SHOWN: Final = 20_000
UNSURE: Final = 0.4
MOVED: Final = 0.25
LETTERS_LOST: Final = 0.3


@dataclass(frozen=True)
class Pool:
    """What a model makes of labelled texts.

    Attributes:
        best: category id, by row.
        truth: likewise, as labelled.
        confidence: of the best category.
        published: whether it would be published.
        probabilities: float [rows, categories].
    """

    best: NDArray[np.int64]
    truth: NDArray[np.int64]
    confidence: NDArray[np.float64]
    published: NDArray[np.bool_]
    probabilities: NDArray[np.float64]

    def precision(self) -> float:
        """Return how much of what is published is right."""
        return (
            float((self.best == self.truth)[self.published].mean()) if self.published.any() else 1.0
        )


@dataclass(frozen=True)
class Stream:
    """Reviews before and after a change."""

    name: str
    before: Pool
    after: Pool
    promised: float
    weights_before: NDArray[np.float64] | None = None
    weights_after: NDArray[np.float64] | None = None
    new_model: bool = False
    """The change is another model version, whose evidence begins anew."""

    def draw(self, seed: int) -> tuple[NDArray[np.int64], Pool]:
        """Return rows of the pools one after another, and both pools as one."""
        chance = np.random.default_rng(seed)
        rows_before = chance.choice(len(self.before.best), HALF, p=self.weights_before)
        rows_after = chance.choice(len(self.after.best), HALF, p=self.weights_after)
        return np.concatenate([rows_before, len(self.before.best) + rows_after]), joined(
            self.before, self.after
        )


@dataclass
class Watched:
    """What came of one run.

    Attributes:
        alarms: by detector, reviews after the change until it was raised; None: never.
        false: by detector, alarms in the unchanged half: of the guard, categories that were held; of
            others, windows.
        wrong: wrong reviews published after the change, without and with the guard.
        held: reviews that went to people because their category was held.
        audits: people's answers until the alarm of the audits.
    """

    alarms: dict[str, int | None]
    false: dict[str, int]
    wrong: tuple[int, int]
    held: int
    audits: int | None


def joined(one: Pool, other: Pool) -> Pool:
    """Return two pools as one."""
    parts = zip(vars(one).values(), vars(other).values(), strict=True)
    return Pool(*(np.concatenate(pair) for pair in parts))


def score(model: Classifier, texts: Sequence[str], labels: Sequence[int]) -> Pool:
    """Ask a model as a worker does."""
    plain = [normalize(text) for text in texts]
    scores = model.score(plain)
    sure = model.rule.sure(scores.probabilities)
    known = [
        bool(is_sure) and model.strange(text, pieces) is None
        for text, pieces, is_sure in zip(plain, scores.inference.tokens, sure, strict=True)
    ]
    best = scores.probabilities.argmax(axis=1)
    return Pool(
        best.astype(np.int64),
        np.asarray(labels, dtype=np.int64),
        np.minimum(scores.probabilities.max(axis=1).astype(np.float64), 1.0),
        np.asarray(known, dtype=np.bool_),
        scores.probabilities.astype(np.float64),
    )


def watch(stream: Stream, seed: int, share: float = SHARE) -> Watched:
    """Let a stream run, with and without the guard."""
    rows, pool = stream.draw(seed)
    sample = AuditSample(AuditSettings(share=share, key=f"bench key of seed {seed:08d}"))
    answers: dict[int, list[bool]] = {}
    held: set[int] = set()
    audited_at: int | None = None
    false = decided = wrong_without = wrong_with = held_back = 0
    bar = needed(category_count())
    for at, row in enumerate(rows):
        if at == HALF:
            false, held = len(held), set()  # a person would have let them go
            if stream.new_model:
                answers = {}
        if not pool.published[row]:
            continue
        category = int(pool.best[row])
        right = bool(pool.best[row] == pool.truth[row])
        changed = at >= HALF
        wrong_without += changed and not right
        if category in held:
            held_back += changed
            continue
        wrong_with += changed and not right
        if sample.drawn(f"{seed}-{at}", category) is None:
            continue
        answers.setdefault(category, []).append(right)
        decided += changed and audited_at is None
        if not right and evidence(answers[category], stream.promised) >= bar:
            held.add(category)
            if changed and audited_at is None:
                audited_at = at - HALF
    windows = {
        "estimate (CBPE)": estimated(rows, pool, stream.promised),
        "drift": drifted(rows, pool),
    }
    alarms = {name: first(ends) for name, ends in windows.items()}
    quiet = {name: sum(end <= HALF for end in ends) for name, ends in windows.items()}
    return Watched(
        {"audits (guard)": audited_at} | alarms,
        {"audits (guard)": false} | quiet,
        (wrong_without, wrong_with),
        held_back,
        None if audited_at is None else decided,
    )


def windows_of(rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield the ends of windows, and their rows."""
    for end in range(WINDOW, len(rows) + 1, STEP):
        yield end, rows[end - WINDOW : end]


def twice(found: Iterator[tuple[int, bool]]) -> list[int]:
    """Return the ends at which something was beyond its level for the second time in a row."""
    ends, beyond = [], 0
    for end, is_beyond in found:
        beyond = beyond + 1 if is_beyond else 0
        if beyond >= 2:
            ends.append(end)
    return ends


def estimated(rows: NDArray[np.int64], pool: Pool, promised: float) -> list[int]:
    """Return when the estimate lay below the promise in some category."""

    def found() -> Iterator[tuple[int, bool]]:
        for end, window in windows_of(rows):
            published = window[pool.published[window]]
            shortfalls = [-1.0]
            for category in range(category_count()):
                of_it = published[pool.best[published] == category]
                one = estimate(len(of_it), float(pool.confidence[of_it].sum()))
                if one is not None and len(of_it) >= ENOUGH:
                    shortfalls.append(one.shortfall(promised))
            yield end, max(shortfalls) >= SHORTFALL

    return twice(found())


def drifted(rows: NDArray[np.int64], pool: Pool) -> list[int]:
    """Return when one of the monitor's older alerts was raised: unsure, mix, confidence."""
    known = rows[:HALF]
    usual = np.bincount(pool.best[known], minlength=category_count()).tolist()
    bins = np.minimum((pool.confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    sure = np.bincount(bins[known], minlength=CONFIDENCE_BINS).tolist()

    def found() -> Iterator[tuple[int, bool]]:
        for end, window in windows_of(rows):
            unsure = 1 - float(pool.published[window].mean())
            counts = np.bincount(pool.best[window], minlength=category_count()).tolist()
            now = np.bincount(bins[window], minlength=CONFIDENCE_BINS).tolist()
            moved = max(psi_beyond_chance(usual, counts), psi(sure, now))
            yield end, unsure >= UNSURE or moved >= MOVED

    return twice(found())


def first(ends: Sequence[int]) -> int | None:
    """Return when an alarm was raised first, counted from the change."""
    return next((end - HALF for end in ends if end > HALF), None)


def kept(pool: Pool, of: Pool, promised: float) -> Pool:
    """Return a pool that publishes nothing as a category whose promise was never kept.

    Args:
        pool: whose reviews are published.
        of: the stream before the change.
        promised: precision.
    """
    published = pool.published.copy()
    for category in range(category_count()):
        of_it = of.published & (of.best == category)
        if of_it.any() and (of.truth == category)[of_it].mean() < promised:
            published &= pool.best != category
    return replace(pool, published=published)


def summed(stream: Stream, runs: Sequence[Watched]) -> dict[str, Any]:
    """Return a stream's line of the table."""
    audits = sorted(run.audits for run in runs if run.audits is not None)
    line: dict[str, Any] = {
        "stream": stream.name,
        "promised": stream.promised,
        "precision_before": stream_precision(stream.before, stream.weights_before),
        "precision_after": stream_precision(stream.after, stream.weights_after),
        "published_after": published_share(stream.after, stream.weights_after),
        "wrong_without": float(np.median([run.wrong[0] for run in runs])),
        "wrong_with": float(np.median([run.wrong[1] for run in runs])),
        "held": float(np.median([run.held for run in runs])),
        "audits": audits[len(audits) // 2] if audits else None,
        "detectors": {},
    }
    for name in runs[0].alarms:
        times = sorted(t for run in runs if (t := run.alarms[name]) is not None)
        line["detectors"][name] = {
            "found": len(times) / len(runs),
            "median": times[len(times) // 2] if times else None,
            "slowest": times[-1] if times else None,
            "false": sum(run.false[name] for run in runs) / len(runs),
        }
    return line


def stream_precision(pool: Pool, weights: NDArray[np.float64] | None) -> float:
    """Return the precision of what is published of a weighted pool."""
    w = (np.ones(len(pool.best)) if weights is None else weights) * pool.published
    return float((w * (pool.best == pool.truth)).sum() / w.sum()) if w.sum() else 1.0


def published_share(pool: Pool, weights: NDArray[np.float64] | None) -> float:
    """Return how much of a weighted pool is published."""
    w = np.ones(len(pool.best)) if weights is None else weights
    return float((w * pool.published).sum() / w.sum())


def read(path: Path, column: str = "category") -> tuple[list[str], list[int]]:
    """Return texts and category ids of a labelled file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [Category(row[column]).id for row in rows]


def garbled(texts: Sequence[str]) -> list[str]:
    """Return texts of which letters were replaced on the way, as by a wrong character set."""
    chance = np.random.default_rng(0)
    return [
        "".join("?" if x.isalpha() and chance.random() < LETTERS_LOST else x for x in text)
        for text in texts
    ]


def mix(truth: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of rows by which categories have these shares."""
    counts = np.bincount(truth, minlength=category_count())
    shares = np.where(counts > 0, shares, 0.0)
    weights = (shares / np.maximum(counts, 1))[truth]
    return np.asarray(weights / weights.sum())


def streams(data: Path, bundled: Classifier, older: Classifier) -> list[Stream]:
    """Return the five streams."""
    own_texts, own_labels = read(data / "gold_dev.csv")
    own, own_older = score(bundled, own_texts, own_labels), score(older, own_texts, own_labels)
    goods = score(older, *read(data / "real/read.csv"))
    live_texts, live_labels = read(data / "real/live_dev.csv")
    live, live_older = (
        score(bundled, live_texts, live_labels),
        score(older, live_texts, live_labels),
    )
    many = joined(joined(own, score(bundled, *read(data / "real/gold_dev.csv"))), live)
    with (data / "banking77/test.csv").open(encoding="utf-8") as file:
        english = [row["text"] for row in csv.DictReader(file)][:1500]
    foreign = score(bundled, english, [category_count() - 1] * len(english))
    usual = np.bincount(own.truth, minlength=category_count()) / len(own.truth)
    even = np.full(category_count(), 1 / category_count())
    found = [
        Stream("other goods", own_older, goods, 0.95),
        Stream("letters lost", own, score(bundled, garbled(own_texts), own_labels), 0.95),
        Stream("another language", own, foreign, 0.95),
        Stream("another mix", many, many, 0.95, mix(many.truth, usual), mix(many.truth, even)),
        Stream("a worse model", live, live_older, 0.90, new_model=True),
    ]
    return [
        replace(
            one,
            before=kept(one.before, one.before, one.promised),
            after=kept(one.after, one.before, one.promised),
        )
        for one in found
    ]


def main() -> None:
    """Run all and write ``changing_streams.json``, and each stream's windows for the peers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--older", type=Path, required=True, help="model folder of 28 November")
    parser.add_argument("--model", type=Path, default=Path("deploy/model"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--share", type=float, default=SHARE, help="of what is published, audited")
    options = parser.parse_args()
    bundled, older = (Classifier.load(x, "cpu", 1) for x in (options.model, options.older))
    lines = []
    options.out.mkdir(parents=True, exist_ok=True)
    for stream in streams(options.data, bundled, older):
        runs = [watch(stream, seed, options.share) for seed in range(options.repeats)]
        lines.append(summed(stream, runs))
        sys.stderr.write(f"{stream.name}: {lines[-1]}\n")
        rows, pool = stream.draw(0)
        rows = np.concatenate([rows[HALF - SHOWN : HALF], rows[HALF : HALF + SHOWN]])
        name = stream.name.replace(" ", "-")
        arrays = {key: value[rows] for key, value in vars(pool).items()}
        np.savez_compressed(options.out / f"{name}.npz", **arrays)
    names = [category.slug for category in all_categories()]
    told = {
        "categories": names,
        "window": WINDOW,
        "before": SHOWN,
        "share": options.share,
        "streams": lines,
    }
    (options.out / "changing_streams.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
