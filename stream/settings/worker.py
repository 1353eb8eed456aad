"""Settings of the worker: its consumer group, what comes in, the model, the cache, audits."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    SecretStr,
    field_validator,
)

from schemas.envelopes import Envelope
from schemas.incoming import IncomingReader, LongTexts, RegisteredSchemas
from stream.settings.fields import (
    BUNDLED_MODEL,
    Names,
    PositiveInt,
    PositiveSeconds,
    Section,
    checked_redis_url,
    checked_sealing_key,
    nearest_redis,
)


class WorkerSettings(Section):
    """The worker: consumer group, batching, transactions."""

    group: str = Field("reviews-worker", min_length=1, description="Consumer group.")
    name: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        description="This worker's name in summaries and dead letters.",
    )
    batch_tokens: PositiveInt = Field(
        8192, description="Estimated word pieces after which a micro-batch closes."
    )
    batch_rows: PositiveInt = Field(1024, description="Reviews after which a micro-batch closes.")
    linger_ms: float = Field(
        10.0,
        ge=0,
        description="Least time from one micro-batch to the next, so that many small ones become one. "
        "A full one does not wait, nor does a review that comes alone.",
    )
    transaction_timeout_ms: PositiveInt = Field(
        15_000,
        description="After this the broker aborts a silent worker's transaction. Short, because "
        "an open transaction stalls every read_committed reader of its partitions.",
    )
    transactions: Literal["partition", "worker"] = Field(
        "partition",
        description="What a transaction is for: one input partition, or all that a worker has, which is "
        "fewer and larger ones. Kafka 2.5 or newer.",
    )
    transaction_version: int = Field(
        2,
        ge=1,
        le=2,
        description="Newest version of Kafka's transactions that is used: 2 (KIP-890) where the brokers' "
        "feature `transaction.version` says so, as in new clusters since Kafka 4.0; else 1.",
    )
    session_timeout_ms: PositiveInt = Field(
        10_000,
        description="A worker that sends no heartbeat for so long loses its partitions to others.",
    )
    instance: str | None = Field(
        None,
        min_length=1,
        description="A name that this member keeps over restarts, unlike any other's, as a StatefulSet's "
        "pod has (static membership). One that is back within the session time-out gets its partitions "
        "again, and the others go on undisturbed; one that stays away is missed only after it.",
    )
    heartbeat_interval_ms: PositiveInt = Field(
        1_000,
        description="How often it sends one, and hears of a rebalance. At most a third of the session "
        "time-out.",
    )
    drain_timeout: PositiveSeconds = Field(
        10.0, description="Seconds to finish what is in flight at a rebalance or SIGTERM."
    )
    stall_seconds: PositiveSeconds = Field(
        60.0,
        description="A partition with events that wait, and none committed for so long, ends "
        "readiness. Longer than a micro-batch takes.",
    )
    fetch_max_bytes: PositiveInt = Field(
        1_048_576, description="Read ahead per partition, bytes. Bounds the worker's memory."
    )
    batch_max_bytes: PositiveInt = Field(
        67_108_864,
        description="A producer's batch may become so large when it is decompressed. Of a larger one "
        "the beginning is read, and a dead letter names the rest. Raise it with the topic's "
        "max.message.bytes: compressed reviews grow to ten times their size.",
    )
    compression: Literal["none", "gzip", "lz4"] = Field(
        "none", description="Of the batches that workers publish."
    )


class IncomingSettings(Section):
    """What stands on the incoming topic, where that is not exactly what the contract says."""

    envelope: Envelope = Field(
        "auto",
        description="What reviews are wrapped in: none, connect (schema and payload), debezium, "
        "registry (a schema registry's bytes before JSON, Avro or Protobuf), cloudevents; auto: whichever "
        "is there.",
    )
    text_field: str = Field(
        "",
        description="Field of the text, if it is not `text`: a path, as body.comment. Several, "
        "parted by commas, are joined.",
    )
    id_field: str = Field(
        "", description="Field of the id, if it is neither `review_id` nor `id`: a path."
    )
    created_field: str = Field(
        "", description="Field of the date, if it is not `created_at`: a path."
    )
    metadata_fields: str = Field(
        "",
        description="Further fields that come back in `metadata`, each under its path: paths, parted by "
        "commas, as customer.id.",
    )
    metadata_headers: str = Field(
        "",
        description="Headers of a message that come back in `metadata`, each under its name: names, parted "
        "by commas.",
    )
    long_texts: LongTexts = Field(
        "refuse",
        description="Texts of more than 20,000 characters: `refuse` makes dead letters of them, `cut` keeps "
        "the beginning, and `text_characters` in `metadata` says how long it was.",
    )

    schema_file: Path | None = Field(
        None,
        description="Schema of messages that are neither JSON nor name one in a schema registry: Avro "
        "(.avsc) or Protobuf (.proto, what it imports beside it).",
    )
    message_type: str = Field(
        "",
        description="Of Protobuf in `schema_file`: full name of the messages' type, as shop.Review. The "
        "file's first unless set.",
    )

    def reader(
        self,
        registered: RegisteredSchemas | None = None,
        unregistered: Callable[[bytes], object] | None = None,
    ) -> IncomingReader:
        """Return what reads messages so.

        Args:
            registered: tells how Avro and Protobuf behind a schema's id are read; unless given, they are not.
            unregistered: reads messages that are no JSON and name no schema.
        """
        return IncomingReader(
            self.envelope,
            self.text_field,
            self.id_field,
            self.created_field,
            self.metadata_fields,
            self.metadata_headers,
            self.long_texts,
            registered,
            unregistered,
        )


class ModelSettings(Section):
    """The classifier."""

    folder: Path = Field(BUNDLED_MODEL, description="Model folder; the bundled one unless set.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU if there is one."
    )
    threads: int = Field(
        0, ge=0, description="Calls of the model side by side, each on one core; 0: all cores."
    )
    chunk_tokens: int = Field(
        0,
        ge=0,
        description="Most word pieces, padding included, in one call of the model; 0: 512 on a "
        "CPU, 2048 on a GPU.",
    )
    watch: bool = Field(True, description="Follow reviews.models and swap without a restart.")
    trusted_keys: Names = Field(
        (),
        description="Public keys: of announced models only those that one of them signed are "
        "served. `reviews model keygen` makes a pair.",
    )
    trusted_keys_file: Path | None = Field(
        None, description="File of public keys, one a line, besides `trusted_keys`."
    )
    trial_seconds: PositiveSeconds = Field(
        30.0,
        description="An announced model that takes longer to be read, or to load and warm up, is "
        "refused.",
    )
    trial_memory_mb: PositiveInt = Field(
        2048, description="An announced model that needs more to load and warm up is refused."
    )
    max_folder_mb: PositiveInt = Field(
        2048, description="An announced model whose files are larger together is refused."
    )


class CacheSettings(Section):
    """The Redis cache; it fails open."""

    url: SecretStr | None = Field(
        default_factory=nearest_redis,
        description="redis://, rediss:// (TLS), unix:// (a socket), or redis+sentinel://host:26379,"
        "host:26379/service/0. Empty: no cache. Unless set, the Redis that `reviews up` started in "
        "this folder, or else redis://127.0.0.1:6379/0.",
    )
    ttl: PositiveInt = Field(7 * 24 * 3600, description="Seconds that an answer is kept.")
    timeout: PositiveSeconds = Field(
        0.05, description="Seconds to wait for Redis before going on without it."
    )
    breaker_failures: PositiveInt = Field(3, description="Failures in a row that open the breaker.")
    breaker_reset: PositiveSeconds = Field(5.0, description="Seconds until Redis is tried again.")
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority to trust.")
    key: SecretStr | None = Field(
        None,
        description="Seals what is kept, so that nobody else who writes into Redis decides; the same "
        "for all workers, 16 characters or more. Unless set, made at first start and kept in a file.",
    )
    key_file: Path = Field(
        Path(".reviews/cache-key"), description="Where it is kept, for the workers of one machine."
    )

    _url_is_one = field_validator("url")(checked_redis_url)
    _key_is_long = field_validator("key")(checked_sealing_key)


class AuditSettings(Section):
    """A sample of what was published that people decide as well: measured precision."""

    share: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Of published reviews; 0.01 is a good start. They wait in the queue unseen among the "
        "others, and nothing is held up. 0: none.",
    )
    per_week: int = Field(
        0,
        ge=0,
        description="At least so many a category and week, or all where fewer are published over the week; of "
        "what comes at once a seventh of the number. With much traffic this alone costs people the least.",
    )
    key: SecretStr | None = Field(
        None,
        description="Draws the sample: with the same key the same reviews are drawn again, by every worker. "
        "16 characters or more, and no producer's business. Unless set, made at each start.",
    )

    _key_is_long = field_validator("key")(checked_sealing_key)
