"""Whether what stands on the incoming topic can be read, before a worker makes dead letters of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from aiokafka import ConsumerRecord

from schemas import ContractError, IncomingReader, WrongShape
from stream.cli.findings import Finding
from stream.errors import TopicMissing
from stream.kafka.read_to_end import records_of
from stream.kafka.topics import partitions_of
from stream.schema_registry import asking, incoming_reader
from stream.settings import Settings

# The newest of so many partitions: enough to see a wrong setting, few enough for a topic of any size.
_A_PARTITION: Final = 5
_PARTITIONS: Final = 8
_SECONDS: Final = 10.0
_SHOWN: Final = 300
_FIELDS: Final = (
    "say where they stand: REVIEWS_INCOMING__TEXT_FIELD and __ID_FIELD, or __ENVELOPE, as "
    "deploy/docs/producers.md explains"
)

_OTHER_FORMAT: Final = (
    "of Avro and Protobuf, name the schema registry, REVIEWS_SCHEMA_REGISTRY__URL, or without one a file, "
    "REVIEWS_INCOMING__SCHEMA_FILE; of all else, have the producer write JSON"
)


@dataclass(slots=True)
class _Sample:
    """What the newest messages are for a worker."""

    reviews: int = 0
    deleted: int = 0
    unread_dates: int = 0
    refused: list[ContractError] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)


async def incoming_messages(settings: Settings) -> list[Finding]:
    """Read the newest messages of the incoming topic as a worker does.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        RegistryUnavailable: the schema registry does not answer.
    """
    topic = settings.topic_names.incoming
    try:
        records = await _newest(settings, topic)
    except TopicMissing:
        return []  # the look at the topics says so
    except TimeoutError:
        return [Finding("incoming", "skipped", f"{topic} could not be read within {_SECONDS:g} s")]
    if not records:
        return [Finding("incoming", "skipped", f"nothing is on {topic} yet")]
    async with asking(settings.schema_registry) as schemas:
        if schemas is not None:
            await schemas.learn(records)
        return [_finding(topic, _sampled(incoming_reader(settings.incoming, schemas), records))]


def _sampled(reader: IncomingReader, records: list[ConsumerRecord]) -> _Sample:
    sample = _Sample()
    for record in records:
        try:
            review, unread_date = reader.read(record.value, record.key)
        except ContractError as error:
            sample.refused.append(error)
            continue
        sample.unread_dates += unread_date
        if review is None:
            sample.deleted += 1
        else:
            sample.reviews += 1
            sample.ids.add(review.review_id)
    return sample


def _finding(topic: str, sample: _Sample) -> Finding:
    refused, read = len(sample.refused), sample.reviews
    of = f"of the newest messages on {topic}"
    reasons = Counter((type(error), str(error)) for error in sample.refused).most_common(1)
    kind, reason = reasons[0][0] if reasons else (None, "")
    if refused > read:
        detail = f"{of} {refused} cannot be read and {read} can: {reason[:_SHOWN]}"
        remedy = _FIELDS if kind is WrongShape else _OTHER_FORMAT
        return Finding("incoming", "warning", detail, remedy)
    if read >= _A_PARTITION and len(sample.ids) == 1:
        detail = f"{of} all {read} have the same id: they would be versions of one text"
        return Finding("incoming", "warning", detail, "name another REVIEWS_INCOMING__ID_FIELD")
    parts = [f"{read} can be read"]
    parts += [f"{sample.deleted} say that something was deleted"] if sample.deleted else []
    parts += [f"the dates of {sample.unread_dates} cannot be read"] if sample.unread_dates else []
    parts += [f"{refused} would be dead letters ({reason[:_SHOWN]})"] if refused else []
    return Finding("incoming", "ok", f"{of} {', '.join(parts)}")


async def _newest(settings: Settings, topic: str) -> list[ConsumerRecord]:
    partitions = (await partitions_of(settings.kafka, topic))[:_PARTITIONS]
    async with (
        asyncio.timeout(_SECONDS),
        contextlib.aclosing(records_of(settings.kafka, partitions, _A_PARTITION)) as records,
    ):
        return [record async for record in records]
