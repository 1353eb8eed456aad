"""Replies of brokers that make no sense, and how they are met.

No broker sends them. What stands in its place may: a gateway that speaks for it, a service that calls
itself compatible, a defect. A reply that leaves out what was asked must not pass for a yes.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, UnknownError, for_code

from stream.errors import BrokerError
from stream.listing import some

_UNKNOWN_SERVER_ERROR: Final = -1


class MalformedReply(KafkaError):  # type: ignore[misc]  # aiokafka ships no types
    """A reply that cannot be understood, or says nothing of what was asked."""


@contextlib.contextmanager
def taking_apart(reply: Any) -> Iterator[None]:
    """Raise what goes wrong with a reply's fields as what it is: the reply's fault.

    Args:
        reply: or what it is about, where aiokafka has read it.

    Raises:
        MalformedReply: a field is absent, empty, or of another kind than it should be.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        raise MalformedReply(
            f"{_name(reply)} makes no sense ({error}); is it Kafka that answers?"
        ) from error


def require_all(
    reply: Any, asked: Iterable[TopicPartition], answered: Mapping[TopicPartition, object]
) -> None:
    """Check that a reply says something of every partition that was asked about.

    Raises:
        MalformedReply: it does not.
    """
    missing = sorted(set(asked) - answered.keys())
    if missing:
        named = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in missing[:3])
        raise MalformedReply(f"{_name(reply)} says nothing of {named}")


def require_none_refused(refused: Mapping[str, str], said: str, remedy: str) -> None:
    """Check that a broker did all that it was asked for.

    >>> require_none_refused({"a": "not yours", "b": "nor this"}, "topic {} cannot be made", "ask")
    Traceback (most recent call last):
        ...
    stream.errors.BrokerError: topic a and 1 more cannot be made: not yours

    Args:
        refused: why, by name.
        said: what a person reads of the names, which go between its braces.
        remedy: what to do about it.

    Raises:
        BrokerError: it refused some; the first is named, with its reason.
    """
    if refused:
        reason = next(iter(refused.values()))
        raise BrokerError(f"{said.format(some(list(refused), most=1))}: {reason}", remedy)


def error_of(code: int) -> KafkaError:
    """Return what an error code stands for; one that aiokafka does not know is named."""
    error: KafkaError = for_code(code)()
    if isinstance(error, UnknownError) and code != _UNKNOWN_SERVER_ERROR:
        return UnknownError(f"the broker answers with error code {code}, which is not known here")
    return error


def _name(reply: Any) -> str:
    if isinstance(reply, str):
        return f"what the broker says of {reply}"
    key, version = getattr(reply, "API_KEY", "?"), getattr(reply, "API_VERSION", "?")
    return f"the broker's reply to request {key}, version {version}"
