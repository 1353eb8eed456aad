"""Bytewax, batches as its source gives them, with the model that ours runs.

``python -m tests.bench.peer_bytewax FOLDER SERVERS SOURCE TARGET``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from schemas import all_categories
from stream.model.classifier import Classifier
from stream.text import normalize

_BATCH = 512


def main(folder: str, servers: str, source: str, target: str) -> None:
    """Run until terminated."""
    # In an environment of its own.
    from bytewax import operators as op  # noqa: PLC0415
    from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource  # noqa: PLC0415
    from bytewax.dataflow import Dataflow  # noqa: PLC0415
    from bytewax.testing import cluster_main  # noqa: PLC0415

    classifier = Classifier.load(Path(folder), "cpu")

    def classify(messages: list[Any]) -> list[Any]:
        reviews = [json.loads(message.value) for message in messages]
        found = classifier.classify([normalize(review["text"]) for review in reviews])
        outcomes = []
        for message, review, row in zip(messages, reviews, found.probabilities, strict=True):
            best = int(row.argmax())
            value = review | {
                "category": all_categories()[best].slug,
                "confidence": float(row[best]),
            }
            body = json.dumps(value, ensure_ascii=False).encode()
            outcomes.append(KafkaSinkMessage(message.key, body))
        return outcomes

    flow = Dataflow("peer")
    incoming = op.input("in", flow, KafkaSource([servers], [source], batch_size=_BATCH))
    outcomes = op.flat_map_batch("classify", incoming, classify)
    op.output("out", outcomes, KafkaSink([servers], target))
    cluster_main(flow, [], 0)


if __name__ == "__main__":
    main(*sys.argv[1:5])
