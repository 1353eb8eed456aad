"""Which version of Kafka's transactions producers use: the newest that the brokers have.

=======  =====================================================  ====================================
version  a transaction                                          its end
=======  =====================================================  ====================================
1        names its partitions and its group, then writes        leaves producer id and epoch as they
         (KIP-98)                                               are
2        is joined by partitions and the group as they are      gives the next transaction an epoch
         written to (KIP-890, part 2)                           of its own
=======  =====================================================  ====================================

The second takes three requests instead of five. And what arrives after its end, however long it was on
its way, bears an epoch that is refused everywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Final

import structlog

from stream.kafka.broker_features import TRANSACTION_VERSION, BrokerFeatures
from stream.kafka.joining_requests import EndAndRenew, JoiningProduce
from stream.kafka.membership import JoiningOffsetCommit

_JOINING: Final = (JoiningProduce, JoiningOffsetCommit, EndAndRenew)

_log = structlog.get_logger(__name__)


class TransactionVersion(IntEnum):
    """How a transaction learns what belongs to it."""

    NAMED = 1
    """Partitions and group are named before they are written to."""
    JOINED = 2
    """Partitions and group join by being written to."""


class Negotiation:
    """Chooses the version for one producer after another.

    Args:
        newest: that may be chosen.
    """

    def __init__(self, newest: TransactionVersion = TransactionVersion.JOINED) -> None:
        self._newest = newest
        self._chosen: TransactionVersion | None = None

    async def version(
        self, features: Callable[[], Awaitable[BrokerFeatures]]
    ) -> TransactionVersion:
        """Return the version that a producer uses from now on, to its end.

        Brokers may be upgraded or downgraded while it lives: those that have the second version go on to
        take its requests below that level, and the first version at any.

        Args:
            features: asks the producer's coordinator what it offers.

        Raises:
            KafkaError: it does not answer.
        """
        chosen = TransactionVersion.NAMED
        level = None
        if self._newest >= TransactionVersion.JOINED:
            offered = await features()
            level = offered.levels.get(TRANSACTION_VERSION)
            if _have_joining(offered):
                chosen = TransactionVersion.JOINED
        if chosen is not self._chosen:
            self._chosen = chosen
            asked = {} if level is None else {"brokers_have": level}
            _log.info("transaction_version", version=int(chosen), **asked)
        return chosen

    def refused(self) -> None:
        """Choose the first version from now on: a broker does not know a request that another offers.

        Something in front of the brokers speaks for them, or they differ for longer than an upgrade.
        """
        if self._newest is not TransactionVersion.NAMED:
            self._newest = TransactionVersion.NAMED
            _log.warning("transaction_version_refused", refused=int(TransactionVersion.JOINED))


def _have_joining(features: BrokerFeatures) -> bool:
    # The level alone would do, were there nothing between the brokers and us.
    return features.levels.get(TRANSACTION_VERSION, 0) >= TransactionVersion.JOINED and all(
        features.versions.get(request.API_KEY, -1) >= request.NEWEST for request in _JOINING
    )
