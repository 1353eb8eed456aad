"""Quix Streams, exactly once, one review at a time, with the model that ours runs.

Its applications see single messages (windows collect by key, and the key is the review's), so there
is no batch for the model. ``python -m tests.bench.peer_quix FOLDER SERVERS SOURCE TARGET``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from schemas import all_categories
from stream.model.classifier import Classifier
from stream.text import normalize


def main(folder: str, servers: str, source: str, target: str) -> None:
    """Run until terminated."""
    from quixstreams import Application  # noqa: PLC0415 - in an environment of its own

    classifier = Classifier.load(Path(folder), "cpu")
    app = Application(
        broker_address=servers,
        consumer_group="quix",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        loglevel="WARNING",
    )

    def classify(review: dict[str, Any]) -> dict[str, Any]:
        row = classifier.classify([normalize(review["text"])]).probabilities[0]
        best = int(row.argmax())
        return review | {"category": all_categories()[best].slug, "confidence": float(row[best])}

    incoming = app.topic(source, value_deserializer="json")
    outgoing = app.topic(target, value_serializer="json")
    app.dataframe(incoming).apply(classify).to_topic(outgoing)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:5])
