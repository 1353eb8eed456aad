"""``python -m tests.bench.categories``: the pipeline with 9, 77 and 150 categories, in either layout.

One worker with the free model on a real broker: what is measured is the cost of the plumbing, to which
a transaction over as many topics belongs. Rounds are interleaved; ratios are to 9 categories in topics
of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

from schemas import load_taxonomy, using
from stream.bench.cluster import OpenPartitions, drained, fresh_topics, numbered, publish, workers
from stream.bench.report import BenchmarkReport, Figure
from stream.cli.bench import EXAMPLES, broker, read_texts
from stream.cli.console import out
from stream.settings import Settings, load_settings
from tests.support.taxonomies import write_taxonomy
from tests.support.tiny_model import write_tiny_model

CATEGORIES: Final = (9, 77, 150)
LAYOUTS: Final = ("categories", "single")
_PARTITIONS: Final = 4


async def _drain(settings: Settings, texts: list[str], reviews: int, layout: str) -> float:
    opened = OpenPartitions(1)
    sections = {"cache": {"url": None}, "topics": {"layout": layout}}
    async with fresh_topics(settings, _PARTITIONS, **sections) as made:
        await publish(made, numbered(texts, reviews))
        with workers(made, 1, 0.0, opened):
            await opened.spread_over(_PARTITIONS)
            return (await drained(made, reviews)).rate


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reviews", type=int, default=100_000)
    arguments = parser.parse_args()
    texts = read_texts(EXAMPLES)
    figures = {
        (count, layout): Figure(f"{count}, {layout}", "reviews/s")
        for count in CATEGORIES
        for layout in LAYOUTS
    }
    report = BenchmarkReport("Categories", f"{CATEGORIES[0]}, {LAYOUTS[0]}", list(figures.values()))
    with tempfile.TemporaryDirectory() as folder, broker(None) as base:
        for turn in range(arguments.rounds + 1):  # the first warms the broker up
            for (count, layout), figure in figures.items():
                made = write_taxonomy(Path(folder) / str(count), count, language="ru")
                with using(load_taxonomy(made)):
                    model = Path(folder) / f"model-{count}"
                    write_tiny_model(model)
                    settings = load_settings(
                        taxonomy=made, kafka=base.kafka.model_dump(), model={"folder": model}
                    )
                    rate = asyncio.run(_drain(settings, texts, arguments.reviews, layout))
                if turn:
                    figure.rounds.append(rate)
    out.print(report.table())


if __name__ == "__main__":
    main()
