"""Producer and consumer clients: what a shop's own services import.

::

    from stream.clients import CategoryConsumer, ReviewProducer

    async with ReviewProducer() as producer:
        await producer.send("Туфли жмут, вернула")

    async with CategoryConsumer(["footwear"], group="returns") as reviews:
        async for event in reviews:
            ...

Connection and topics come from the environment (``REVIEWS_KAFKA__BOOTSTRAP_SERVERS``,
``REVIEWS_TOPICS__PREFIX``) unless ``settings`` are given.
"""

from stream.clients.consumer import (
    CategoryConsumer,
    DeadLetter,
    DeadLetterConsumer,
    RelabelConsumer,
)
from stream.clients.producer import ReviewProducer
from stream.clients.reader import TopicReader
from stream.files import derived_id

__all__ = [
    "CategoryConsumer",
    "DeadLetter",
    "DeadLetterConsumer",
    "RelabelConsumer",
    "ReviewProducer",
    "TopicReader",
    "derived_id",
]
