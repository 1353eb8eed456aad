"""An engine that has watched a made-up quarter of an hour, for tests and pictures of the page."""

import math
import random
import time

from schemas import BatchSummary, Category, CategoryCount, Label, ModelAnnouncement
from stream.kafka.lag import PartitionLag
from stream.monitor.engine import Engine
from stream.settings import MonitorSettings
from tests.support.summaries import at

SHARES = {
    Category("clothing"): 0.46,
    Category("footwear"): 0.17,
    Category("no-product"): 0.14,
    Category("accessories"): 0.08,
    Category("kids"): 0.06,
    Category("home-textiles"): 0.04,
    Category("electronics"): 0.03,
    Category("tableware"): 0.015,
    Category("household-appliances"): 0.005,
}


def watched_engine(minutes=15, *, now=None, drifting=True, **options):
    """Return an engine with a day's ups and downs, a model change, and drift towards the end."""
    now = time.time() if now is None else now
    moment = [now]
    settings = MonitorSettings(
        **{"baseline_reviews": 1500, "alert_hold_seconds": 20.0, "alert_lag": (800, 500)} | options
    )
    engine = Engine(settings, clock=lambda: moment[0])
    random_ = random.Random(7)
    begin, steps = now - minutes * 60, minutes * 12
    backlog_settled = 0
    for i in range(steps):
        moment[0] = begin + i * 5
        progress = i / steps
        late = drifting and progress > 0.65
        model = "9f2c41d07ab3e655" if progress < 0.55 else "c40be88153d9f012"
        event = batch(moment[0], model, random_, wave(i), shifted=late)
        engine.apply_batch(i % 4, i, event)
        for unsure in range(event.relabelled):
            engine.decisions.ask(f"r{i}" if not unsure else f"r{i}-{unsure}", "сапоги малы")
        if i % 3 == 0 and progress > 0.2:
            backlog_settled += 1
            engine.decisions.apply(i % 4, i, label(f"r{i}", moment[0], random_))
        lags = [
            PartitionLag(p, 0, int(max(0, random_.gauss(9, 6) + (220 if late else 0))))
            for p in range(4)
        ]
        engine.broker.answered(lags, engine.backlog, moment[0])
        engine.look()
    announcement = ModelAnnouncement(
        version="c40be88153d9f012",
        location="/nowhere",
        manifest_digest="0" * 64,
        announced_at=at(begin + minutes * 60 * 0.55),
    )
    engine.announcements.apply(announcement)
    moment[0] = now
    return engine


def wave(i):
    return 1 + 0.35 * math.sin(i / 14) + 0.1 * math.sin(i / 3)


def batch(moment, model, random_, strength, *, shifted):
    counts, histogram = {}, [0] * 20
    for category, usual in SHARES.items():
        wanted = usual
        if shifted:
            wanted = {Category("clothing"): 0.2, Category("electronics"): 0.6}.get(category, usual)
        reviews = round(random_.gauss(wanted, wanted / 8) * 260 * strength)
        published = relabelled = 0
        total = expected = 0.0
        for _ in range(max(reviews, 0)):
            confidence = min(random_.betavariate(9 if not shifted else 4, 1.0), 0.9999)
            sure = confidence > 0.72
            published, relabelled = published + sure, relabelled + (not sure)
            total += confidence
            expected += confidence * sure
            histogram[int(confidence * 20)] += 1
        if published + relabelled:
            counts[category] = CategoryCount(
                published=published,
                relabelled=relabelled,
                confidence_sum=total,
                published_confidence=expected,
            )
    published = sum(count.published for count in counts.values())
    relabelled = sum(count.relabelled for count in counts.values())
    dead = int(random_.random() < 0.1)
    delay = abs(random_.gauss(0.18, 0.05))
    return BatchSummary(
        worker=f"worker-{random_.randint(1, 2)}",
        model_version=model,
        source_topic="reviews.incoming",
        source_partition=0,
        first_offset=0,
        last_offset=published + relabelled + dead,
        reviews=published + relabelled + dead,
        published=published,
        relabelled=relabelled,
        dead=dead,
        cache_hits=published // 6,
        categories=counts,
        confidence_histogram=histogram,
        tokens=(published + relabelled) * 22,
        unknown_tokens=(published + relabelled) * 22 // (60 if shifted else 150),
        first_event_at=at(moment - 1),
        last_event_at=at(moment),
        processed_at=at(moment - 1 + delay),
    )


def label(review_id, moment, random_):
    return Label(
        review_id=review_id,
        text="пример",
        category=random_.choice(list(SHARES)),
        decided_by=random_.choice(["person", "ensemble", "ensemble", "llm"]),
        decided_at=at(moment),
        labeller="anna",
        codebook_version="1",
        model_version="9f2c41d07ab3e655",
    )
