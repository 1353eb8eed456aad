"""Transactions without a broker: producers are doubles, and no partition has a past."""

from stream.kafka.size_limits import SizeLimits


class Transactions:
    """Hands out what a test makes.

    Args:
        open_producer: makes the producer of a partition.
        begin: the offset that every partition goes on from.
        limits: told of what was too large.
    """

    def __init__(self, open_producer, begin=0, limits=None):
        self.producer = open_producer
        self.limits = limits or SizeLimits()
        self._begin = begin

    def assigned(self, consumer, instance):
        """Nobody asks for a member's name."""

    async def close(self):
        """Nothing is shared."""

    def recovery(self, tp, consumer):
        """Return one that has nothing to settle."""
        return NothingToSettle(self._begin)


class NothingToSettle:
    """The recovery of a partition whose former owner left nothing open."""

    def __init__(self, begin):
        self._begin = begin

    async def start(self, producer):
        """Start the producer, and say where it begins."""
        await producer.start()
        return self._begin
