"""Who gets which partitions: as even as can be, moving as few as can be, none before it was given up.

The rules are those of Kafka's cooperative sticky assignor (KIP-429): a partition that is to move is
given to nobody in the generation in which its owner loses it, and to its new owner in the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from stream.kafka.cooperative.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Deal:
    """One generation's assignment."""

    given: Mapping[str, frozenset[TopicPartition]]
    """By member; every member is named."""
    withheld: frozenset[TopicPartition]
    """Given to nobody until their owners have given them up: the group has to deal once more."""


def deal(partitions: Iterable[TopicPartition], claims: Mapping[str, Subscription]) -> Deal:
    """Return the next assignment.

    Members of the same topics get as many partitions as each other, or one more. As many as that
    allows stay where they are.

    Args:
        partitions: all of the topics that anybody subscribes to.
        claims: by member.
    """
    known = {tp for tp in partitions if any(tp.topic in claim.topics for claim in claims.values())}
    owned, disputed = _owners(known, claims)
    wanted = _kept(len(known), owned)
    _fill(known - set().union(*wanted.values()), wanted, claims)
    taken = disputed.union(*owned.values())
    given = {
        member: frozenset(tp for tp in mine if tp in owned[member] or tp not in taken)
        for member, mine in wanted.items()
    }
    return Deal(given, frozenset(known.difference(*given.values())) if given else frozenset())


def _owners(
    known: Collection[TopicPartition], claims: Mapping[str, Subscription]
) -> tuple[dict[str, set[TopicPartition]], set[TopicPartition]]:
    """Return what each member owns; and what several claim that were given it in one generation.

    Of two claims the later generation's holds: who has the other one has missed an assignment.
    """
    claimants: dict[TopicPartition, list[str]] = {}
    for member, claim in claims.items():
        for tp in claim.owned:
            if tp in known and tp.topic in claim.topics:
                claimants.setdefault(tp, []).append(member)
    owned: dict[str, set[TopicPartition]] = {member: set() for member in sorted(claims)}
    disputed = set()
    for tp, members in claimants.items():
        latest = max(claims[member].generation for member in members)
        owners = [member for member in members if claims[member].generation == latest]
        if len(owners) == 1:
            owned[owners[0]].add(tp)
        else:
            disputed.add(tp)
    return owned, disputed


def _kept(total: int, owned: Mapping[str, set[TopicPartition]]) -> dict[str, set[TopicPartition]]:
    """Return what each member keeps: no more than its share."""
    if not owned:
        return {}
    share, larger = divmod(total, len(owned))
    kept = {}
    # Who has most keeps most: fewest partitions move.
    for member in sorted(owned, key=lambda member: (-len(owned[member]), member)):
        most = share + (larger > 0)
        kept[member] = set(sorted(owned[member])[:most])
        larger -= len(kept[member]) > share
    return kept


def _fill(
    free: Iterable[TopicPartition],
    kept: Mapping[str, set[TopicPartition]],
    claims: Mapping[str, Subscription],
) -> None:
    """Add each free partition to whoever of its subscribers has fewest."""
    for tp in sorted(free):
        members = [member for member in kept if tp.topic in claims[member].topics]
        kept[min(members, key=lambda member: (len(kept[member]), member))].add(tp)
