"""What the page shows: the engine's knowledge as plain JSON, no more points than a chart can draw."""

from __future__ import annotations

import math
from typing import Any, Final

from schemas import all_categories, category_count, category_infos
from stream.kafka.lag import PartitionLag
from stream.kafka.open_transactions import OpenTransaction
from stream.monitor.bucket import Bucket, Tally
from stream.monitor.engine import Engine
from stream.monitor.promises import PromiseStanding

# A chart of 120 steps still tells single bars apart on a laptop's screen.
_STEPS: Final = 120
_DIGITS: Final = 4
# A chart's colours: more cannot be told apart. Of more categories the last colour is that of all others.
_COLOURS: Final = 9
OTHERS: Final = -1
"""Stands for the categories that a chart shows in sum."""
QUALITY: Final = (
    "category",
    "published",
    "estimated",
    "audited",
    "decided",
    "precision",
    "expected",
    "low",
    "high",
    "proof",
    "held",
)
# The first minutes of a pipeline must not be a sliver at the right edge of an empty chart.
_SHORTEST: Final = 300
# More proof than proof says nothing more.
_PROVEN: Final = 1000.0


def categories() -> list[dict[str, str]]:
    """Return slugs and names, in the order of the categories; they never change."""
    return [
        {"slug": info.category.slug, "ru": info.name("ru"), "en": info.name("en")}
        for info in category_infos()
    ]


def snapshot(engine: Engine, span: int) -> dict[str, Any]:
    """Return the state of everything, with series over the last ``span`` seconds of event time.

    Numbers are counts, shares (0 to 1) and seconds; moments are seconds since 1970.
    """
    now = engine.clock()
    total = engine.history.total()
    start, step, count = _axis(engine, now, span)
    buckets = [
        engine.history.window(start + i * step, start + (i + 1) * step) for i in range(count)
    ]
    whole = engine.history.window(start, start + step * count)
    return {
        "now": now,
        "watermark": engine.history.watermark,
        "latest": engine.history.latest,
        "totals": _totals(total),
        "window": _window(engine),
        "series": {"start": start, "step": step} | _series(buckets, step, _shown(whole)),
        "quality": _quality(engine),
        "categories": _categories(engine, whole, start, start + step * count),
        "models": _models(buckets, start, step),
        "announcements": [
            {
                "at": one.announcement.announced_at.timestamp(),
                "version": one.announcement.version,
                "role": one.announcement.role,
                "refused": engine.announcements.refusal(one),
            }
            for one in engine.announcements.all[-20:]
        ],
        "broker": _broker(engine, start, start + step * count),
        "alerts": _alerts(engine),
        "watched": [
            {"name": w.name, "value": _round(w.value), "due_in": math.ceil(w.due_in)}
            for w in engine.watch.watched()
        ],
        "changes": [
            {"name": c.name, "raised": c.raised, "value": _round(c.value), "at": c.at}
            for c in reversed(engine.changes)
        ],
    }


def _axis(engine: Engine, now: float, span: int) -> tuple[int, int, int]:
    """Return beginning, step and number of steps: whole buckets, at the end the newest one."""
    bucket = engine.history.rules.bucket
    latest = engine.history.latest or now
    end = now if now - latest < span else latest
    starts = engine.history.starts()
    known = end - starts[0] + bucket if starts else 0
    span = int(min(span, max(known, _SHORTEST)))
    step = bucket * max(math.ceil(span / bucket / _STEPS), 1)
    last = math.floor(end / step) * step
    count = max(math.ceil(span / step), 1)
    return last - (count - 1) * step, step, count


def _shown(whole: Bucket) -> list[int]:
    """Return ids of the categories that a chart shows: all of a few, and of many the largest."""
    if category_count() <= _COLOURS:
        return list(range(category_count()))
    sizes = {category.id: _tally(whole, category.slug).reviews for category in all_categories()}
    largest = sorted(sizes, key=lambda i: (-sizes[i], i))[: _COLOURS - 1]
    return [*sorted(largest), OTHERS]


def _series(buckets: list[Bucket], step: int, shown: list[int]) -> dict[str, Any]:
    slugs = [all_categories()[i].slug for i in shown if i != OTHERS]
    layers = [[_tally(b, slug).reviews for b in buckets] for slug in slugs]
    if OTHERS in shown:
        sums = [sum(tally.reviews for tally in b.categories.values()) for b in buckets]
        parts = zip(sums, *layers, strict=True)
        layers.append([total - sum(named) for total, *named in parts])
    return {
        "reviews": [_round(b.reviews / step) for b in buckets],
        "relabelled": [_round(b.relabelled / step) for b in buckets],
        "dead": [_round(b.dead / step) for b in buckets],
        "confidence": [_round(b.mean_confidence) for b in buckets],
        "delay": [_round(b.worst_delay) if b.batches else None for b in buckets],
        "shown": shown,
        "categories": layers,
    }


def _totals(total: Bucket) -> dict[str, Any]:
    return {
        "reviews": total.reviews,
        "published": total.published,
        "relabelled": total.relabelled,
        "dead": total.dead,
        "deleted": total.deleted,
        "late": total.late,
        "cache_hits": total.cache_hits,
    }


def _window(engine: Engine) -> dict[str, Any]:
    """Describe the newest hopping window: that is what drift and alerts are about."""
    settings = engine.settings
    window = engine.newest_window()
    last_minute = engine.history.newest(settings.window_seconds)
    reference, drift = engine.references.of(window.model), engine.references.drift(window)
    shares = None
    if reference is not None and (whole := sum(reference.confidence)):
        shares = [_round(value / whole) for value in reference.confidence]
    return {
        "seconds": settings.hopping_window_seconds,
        "reviews": window.reviews,
        "enough": window.reviews >= settings.alert_reviews,
        "needed": settings.alert_reviews,
        "per_second": _round(last_minute.reviews / settings.window_seconds),
        "confidence": _round(window.mean_confidence),
        "relabel_share": _round(window.relabel_share),
        "cache_share": _round(window.cache_hits / window.reviews if window.reviews else None),
        "first_stage_share": _round(window.first_stage_share),
        "unknown_share": _round(window.unknown_share),
        "delay": _round(last_minute.worst_delay) if last_minute.batches else None,
        "histogram": window.histogram,
        "reference": shares,
        "reference_origin": reference.origin if reference else None,
        "mix_psi": _round(drift.mix_psi),
        "mix_js": _round(drift.mix_js),
        "confidence_psi": _round(drift.confidence_psi),
        "model": window.model,
        "workers": sorted(last_minute.workers),
    }


def _categories(engine: Engine, window: Bucket, start: int, end: int) -> list[dict[str, Any]]:
    decided = engine.decisions.window(start, end)
    rows = []
    for category in all_categories():
        tally = _tally(window, category.slug)
        others = decided.categories.get(category.slug, {})
        rows.append(
            {
                "reviews": tally.reviews,
                "published": tally.published,
                "relabelled": tally.relabelled,
                "confidence": _round(tally.confidence / tally.reviews if tally.reviews else None),
                "decided": {"ensemble": 0, "llm": 0, "person": 0} | others,
            }
        )
    return rows


def _quality(engine: Engine) -> dict[str, Any]:
    """Describe what was published: measured by audits, expected by confidence, promised, held."""
    window = engine.newest_window()
    return {
        "promised": engine.promises.promised(window.model),
        "mode": engine.promises.mode,
        "columns": QUALITY,
        "rows": [
            _kept(row)
            for row in engine.promises.standing(window)
            if row.measured is not None or row.estimated is not None or row.held is not None
        ],
        "held": [
            {
                "category": one.category.id,
                "model": one.model_version,
                "since": one.decided_at.timestamp(),
                "audited": one.audited,
                "right": one.right,
            }
            for one in engine.holds.all_held()
        ],
    }


def _kept(row: PromiseStanding) -> list[float | int | None]:
    """Return one category's figures in the order of :data:`QUALITY`; short, since there may be many."""
    measured, estimated = row.measured, row.estimated
    told = measured if measured is not None and measured.precision is not None else None
    return [
        row.category.id if row.category is not None else OTHERS,
        estimated.published if estimated else 0,
        _round(estimated.precision) if estimated else None,
        measured.audited if measured else 0,
        measured.decided if measured else 0,
        _round(told.precision) if told else None,
        _round(told.expected) if told else None,
        _round(told.low) if told else None,
        _round(told.high) if told else None,
        _round(min(row.proof, _PROVEN)),
        int(row.held is not None),
    ]


def _models(buckets: list[Bucket], start: int, step: int) -> list[dict[str, Any]]:
    """Return stretches of time in which one model answered most."""
    stretches: list[dict[str, Any]] = []
    for i, bucket in enumerate(buckets):
        if (version := bucket.model) is None:
            continue
        begin, end = start + i * step, start + (i + 1) * step
        if stretches and stretches[-1]["version"] == version:
            stretches[-1]["to"] = end
            stretches[-1]["reviews"] += bucket.models[version]
        else:
            reviews = bucket.models[version]
            stretches.append({"version": version, "from": begin, "to": end, "reviews": reviews})
    return stretches


def _broker(engine: Engine, start: float, end: float) -> dict[str, Any]:
    view = engine.broker
    past = [point for point in view.past if start <= point[0] <= end + engine.history.rules.bucket]
    thinned = past[:: max(len(past) // _STEPS, 1)]
    return {
        "lag": view.lag,
        "partitions": {str(partition): lag for partition, lag in sorted(view.lags.items())},
        "held": [_held(partition) for partition in view.held],
        "backlog": engine.backlog,
        "settled": engine.decisions.settled,
        "past": [[round(at, 1), lag, backlog] for at, lag, backlog in thinned],
    }


def _held(partition: PartitionLag) -> dict[str, Any]:
    found = partition.transaction or OpenTransaction()
    return {
        "partition": partition.partition,
        "events": partition.held,
        "since": found.since.timestamp() if found.since is not None else None,
        "transactional_id": found.transactional_id,
        "producer_id": found.producer_id,
        "untold": found.untold,
    }


def _alerts(engine: Engine) -> list[dict[str, Any]]:
    return [
        {
            "name": alert.rule.name,
            "active": alert.active,
            "severity": alert.rule.severity,
            "since": alert.since,
            "value": _round(alert.value),
            "changed_by": _round(alert.changed_by),
            "raise_at": alert.rule.raise_at,
            "clear_at": alert.rule.clear_at,
            "title": alert.rule.title,
            "advice": alert.rule.advice,
        }
        for alert in engine.watch.alerts
    ]


def _tally(bucket: Bucket, slug: str) -> Tally:
    return bucket.categories.get(slug, Tally())


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
