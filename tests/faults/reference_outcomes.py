"""What the reference loops publish. Only the loops are other people's: the rest is ours.

The model, the fault doubles around it and the events are those of our own worker, so that the
checker compares loops and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas import CategorizedReview, Review, TopicNames, all_categories, decode, encode
from stream.model.classifier import Classifier
from stream.text import normalize


def outcomes(
    values: Sequence[bytes], classifier: Classifier, topics: TopicNames
) -> Iterator[tuple[str, bytes, bytes]]:
    """Classify a batch; yield topic, key and value of each outcome, in order.

    Raises:
        Exception: whatever inference raises.
    """
    reviews = [decode(Review, value) for value in values]
    predictions = classifier.classify([normalize(review.text) for review in reviews])
    for review, row in zip(reviews, predictions.probabilities, strict=True):
        best = int(row.argmax())
        event = CategorizedReview(
            review=review,
            category=all_categories()[best],
            confidence=min(float(row[best]), 1.0),
            decided_by="model",
        )
        yield topics.categories[best], review.review_id.encode(), encode(event)
