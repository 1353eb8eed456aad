"""Every option of the online half: its environment name, default and meaning.

Sources, the first that speaks wins: arguments of a command, environment (``REVIEWS_KAFKA__...``),
the TOML file named by ``REVIEWS_CONFIG`` (``reviews.toml`` in the working folder unless set),
defaults. Secrets belong into the environment; they are masked whenever settings are shown.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas import activate, load_taxonomy
from schemas.envelopes import Envelope
from schemas.incoming import IncomingReader
from schemas.taxonomy import is_active
from schemas.topics import Layout, TopicNames
from stream.errors import ConfigError
from stream.privacy.kinds import ALWAYS, Kind
from stream.settings_mistakes import PREFIX, mistakes_in, unknown_variables

CONFIG_VARIABLE: Final = "REVIEWS_CONFIG"
DEFAULT_CONFIG: Final = Path("reviews.toml")
BUNDLED_MODEL: Final = Path(__file__).resolve().parent.parent / "deploy" / "model"

EMBEDDED_REDIS: Final = Path(".reviews/redis/redis.sock")
"""Socket of the Redis that `reviews up` starts, as seen from the folder that it was started in."""
USUAL_REDIS: Final = "redis://127.0.0.1:6379/0"

_LEAST_KEY: Final = 16
PositiveInt = Annotated[int, Field(gt=0)]
PositiveSeconds = Annotated[float, Field(gt=0)]


def _ordered(levels: tuple[float, float]) -> tuple[float, float]:
    if levels[1] > levels[0]:
        raise ValueError("an alert is cleared at a level below the one that raises it")
    return levels


def _nearest_redis() -> SecretStr:
    """Return the address of the Redis that was started in this folder, or else the usual one."""
    if EMBEDDED_REDIS.is_socket():
        return SecretStr(f"unix://{quote(str(EMBEDDED_REDIS.resolve()))}")
    return SecretStr(USUAL_REDIS)


def _redis_url(url: SecretStr | None) -> SecretStr | None:
    """Refuse what is no address of a Redis; the message never holds any of it."""
    if url is None or not url.get_secret_value():
        return url
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in {"redis", "rediss", "unix"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "not a redis://, rediss:// or unix:// URL; a password's special characters are written "
            "percent-encoded"
        )
    return url


def _sealing_key(key: SecretStr | None) -> SecretStr | None:
    if key is None or not key.get_secret_value():
        return None  # a container's variable that nobody set
    if len(key.get_secret_value()) < _LEAST_KEY:
        raise ValueError(f"a key has {_LEAST_KEY} characters or more")
    return key


Levels = Annotated[tuple[float, float], AfterValidator(_ordered)]
"""Where an alert is raised, and where it is cleared."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    """Connection to the broker; passed through to every client."""

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Comma-separated host:port list.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = (
        "SCRAM-SHA-512"
    )
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_oauth_token: SecretStr | None = Field(
        None, description="A ready bearer token, for OAUTHBEARER."
    )
    sasl_oauth_token_file: Path | None = Field(
        None, description="File with a bearer token, read anew at every connection."
    )
    sasl_oauth_token_command: str | None = Field(
        None, description="Program that prints a bearer token, run at every connection."
    )
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority to trust.")
    ssl_cert_file: Path | None = Field(None, description="PEM client certificate, for mutual TLS.")
    ssl_key_file: Path | None = Field(None, description="PEM key of the client certificate.")
    ssl_key_password: SecretStr | None = None
    ssl_check_hostname: bool = True
    request_timeout_ms: PositiveInt = Field(
        10_000, description="Wait for one answer of the broker. Below the transaction time-out."
    )


class TopicSettings(_Section):
    """Names, partitions and replication of our topics."""

    prefix: str = Field("reviews", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")
    output_suffix: str = Field(
        "",
        pattern=r"^(\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,60})?$",
        description="What topics of outcomes end with: a backfill's, as .model-7. Empty: the live.",
    )
    layout: Layout = Field(
        "categories",
        description="Where decided reviews go: `categories`, a topic a category; or `single`, one topic "
        "`<prefix>.categorized` with the slug in the header `category`, for many categories.",
    )
    partitions: PositiveInt = Field(4, description="Of every topic that `topics create` makes.")
    replication: PositiveInt = Field(1, description="3 on a production cluster.")
    min_insync_replicas: PositiveInt = Field(1, description="2 with a replication of 3.")


class WorkerSettings(_Section):
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
    session_timeout_ms: PositiveInt = Field(10_000, description="Silent for longer: evicted.")
    heartbeat_interval_ms: PositiveInt = 1_000
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
    compression: Literal["none", "gzip", "lz4"] = Field("none", description="Of what we publish.")


class IncomingSettings(_Section):
    """What stands on the incoming topic, where that is not exactly what the contract says."""

    envelope: Envelope = Field(
        "auto",
        description="What reviews are wrapped in: none, connect (schema and payload), debezium, "
        "registry (a schema registry's bytes before JSON), cloudevents; auto: whichever is there.",
    )
    text_field: str = Field(
        "",
        description="Field of the text, if it is not `text`: a path, as body.comment. Several, "
        "parted by commas, are joined.",
    )
    id_field: str = Field(
        "", description="Field of the id, if it is neither `review_id` nor `id`: a path."
    )

    def reader(self) -> IncomingReader:
        """Return what reads messages so."""
        return IncomingReader(self.envelope, self.text_field, self.id_field)


class ModelSettings(_Section):
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
    trusted_keys: tuple[str, ...] = Field(
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


class CacheSettings(_Section):
    """The Redis cache; it fails open."""

    url: SecretStr | None = Field(
        default_factory=_nearest_redis,
        description="redis://, rediss:// (TLS) or unix:// (a socket). Empty: no cache. Unless set, "
        "the Redis that `reviews up` started in this folder, or else redis://127.0.0.1:6379/0.",
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

    _url_is_one = field_validator("url")(_redis_url)
    _key_is_long = field_validator("key")(_sealing_key)


class AuditSettings(_Section):
    """A sample of what was published that people decide as well: measured precision."""

    share: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Of published reviews; 0.01 is a good start. They wait in the queue unseen among the "
        "others, and nothing is held up. 0: none.",
    )


class QueueSettings(_Section):
    """The review queue: `reviews queue`."""

    host: str = Field("127.0.0.1", description="Loopback unless set.")
    port: int = Field(8400, ge=0, le=65535, description="0: any free port.")
    name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="With the port, names this server's transactions: the same after a restart, "
        "another one for every server.",
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis of the working set; unless set, that of the cache."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="How browsers reach the page, behind a proxy. https makes cookies secure.",
    )
    accounts: Path = Field(
        Path(".reviews/queue-accounts.json"), description="File of accounts, argon2 hashes only."
    )
    secret: SecretStr | None = Field(
        None,
        description="Signs sessions, and seals what Redis keeps for the queue; the same for all of its "
        "servers. Unless set, made at first start and kept in a file.",
    )
    session_hours: PositiveSeconds = Field(
        12.0, description="A sign-in holds this long after the last thing that was done."
    )
    token_days: PositiveInt = Field(
        90, le=3650, description="An API token ends after so many days, unless made with another."
    )
    sign_in_attempts: PositiveInt = Field(
        10,
        description="Wrong passwords of one account from one address, or in one browser that it was "
        "signed in with, before each further try waits: 15 seconds, doubling up to 15 minutes. Ten "
        "times as many of an account from everywhere, and from an address for all accounts.",
    )
    requests_per_minute: PositiveInt = Field(
        600, description="Changes that one person may make; ten a second is faster than a hand."
    )
    proxy_header: str | None = Field(
        None, description="Header in which a trusted proxy names the signed-in person."
    )
    proxy_addresses: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"), description="Addresses that the proxy header is believed from."
    )
    proxy_secret: SecretStr | None = Field(
        None,
        description="What the proxy must send in X-Proxy-Secret. Needed for `proxy_header`; with it "
        "X-Forwarded-For is believed, too, so that wrong passwords are counted by visitor.",
    )
    lease_seconds: PositiveSeconds = Field(
        300.0, description="An item shown to one person is shown to nobody else for so long."
    )
    blind_share: float = Field(
        0.15, ge=0, le=1, description="Share of items shown without the model's suggestions."
    )
    second_share: float = Field(
        0.1, ge=0, le=1, description="Share of decisions that another person makes again."
    )
    random_share: float = Field(
        0.1, ge=0, le=1, description="Share of items drawn at random instead of by information."
    )
    bulk_limit: PositiveInt = Field(200, description="Near-identical reviews decided at once.")
    codebook_version: str = Field("1", min_length=1, description="Recorded with every label.")
    transaction_timeout_ms: PositiveInt = Field(
        10_000, description="After this the broker aborts a decision's transaction."
    )

    _url_is_one = field_validator("redis_url")(_redis_url)

    @model_validator(mode="after")
    def _proxy_needs_a_secret(self) -> Self:
        # A peer's address alone is no proof: on loopback every local program has it.
        if self.proxy_header is not None and self.proxy_secret is None:
            raise ValueError("proxy_header needs proxy_secret")
        return self


class LabelSettings(_Section):
    """Auto-labelling: `reviews label`, and the online relabeller `reviews relabel-auto`."""

    precision: float = Field(
        0.95, gt=0.5, lt=1, description="Wanted of all that is decided without people."
    )
    zero_shot_model: str | None = Field(
        "cointegrated/rubert-base-cased-nli-threeway",
        description="NLI checkpoint for zero-shot votes: a folder or a hub name, best with a commit "
        "(NAME@COMMIT). Empty: none.",
    )
    encoder: str | None = Field(
        None,
        description="Encoder (folder, hub name or NAME@COMMIT) for the dictionary; Navec unless set.",
    )
    classifier_votes: bool = Field(False, description="The serving classifier votes too.")
    device: str = Field("cpu", description="torch device of zero-shot, encoder and local LLM.")
    llm_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="OpenAI-compatible endpoint up to /v1. Unless set, no LLM is asked.",
    )
    llm_model: str = Field("qwen2.5-7b-instruct", min_length=1, description="Model to ask for.")
    llm_api_key: SecretStr | None = Field(None, description="Sent over https or to loopback only.")
    llm_structured: Literal["json_schema", "json_object", "off"] = Field(
        "json_schema", description="How the endpoint is told to answer with JSON."
    )
    llm_samples: PositiveInt = Field(
        3, le=25, description="Votes per review; stops early when the rest cannot change it."
    )
    llm_temperature: float = Field(0.7, ge=0, le=2, description="With one sample, 0 is used.")
    llm_concurrency: PositiveInt = Field(8, description="Requests in flight.")
    llm_timeout: PositiveSeconds = Field(60.0, description="Seconds to wait for one answer.")
    llm_attempts: PositiveInt = Field(5, description="Per request, counting the first.")
    llm_max_tokens: PositiveInt = Field(
        2_000_000, description="Budget of one run, prompt and answer. Then it stops asking."
    )
    llm_price_prompt: float = Field(0.0, ge=0, description="Per million prompt tokens.")
    llm_price_answer: float = Field(0.0, ge=0, description="Per million answer tokens.")
    llm_cache: Path = Field(
        Path(".reviews/llm-answers.sqlite"), description="Every answer is kept here and reused."
    )
    llm_local: Path | None = Field(
        None, description="Folder of a causal model to run here instead of an endpoint."
    )
    ensemble: Path = Field(
        Path(".reviews/ensemble.json"),
        description="Fitted thresholds that `reviews label run --save-ensemble` writes and the "
        "relabeller reads.",
    )
    nli: Path = Field(
        Path(".reviews/nli"),
        description="NLI checkpoint that `reviews label nli` makes; votes where `zero_shot_model` "
        "is not at hand.",
    )
    http_port: int = Field(
        9410, ge=0, le=65535, description="Health and metrics of the relabeller; 0: any free port."
    )
    group: str = Field("reviews-relabeller", min_length=1, description="Relabeller's group.")
    batch_rows: PositiveInt = Field(64, description="Reviews that the relabeller decides at once.")
    transaction_timeout_ms: PositiveInt = Field(
        60_000, description="Longer than the worker's: one batch may wait for the LLM."
    )


class MonitorSettings(_Section):
    """The monitor: `reviews monitor`.

    An alert has two levels: raised when its value reaches the first, cleared when it is back at the
    second. Between the two nothing changes. In the environment: ``[0.4, 0.3]``.
    """

    host: str = Field("127.0.0.1", description="Loopback unless set.")
    port: int = Field(8500, ge=0, le=65535, description="0: any free port.")
    name: str = Field(
        "monitor",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,50}$",
        description="Names its group and state on Kafka. A second monitor needs another one.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="How browsers reach the page, behind a proxy. https makes cookies secure.",
    )
    token: SecretStr | None = Field(
        None, min_length=16, description="Opens the page; unless set, one-time links are printed."
    )
    session_hours: PositiveSeconds = Field(12.0, description="A sign-in holds this long.")
    bucket_seconds: PositiveInt = Field(10, description="Finest step of all statistics.")
    window_seconds: PositiveInt = Field(
        60, description="Length of the tumbling windows on reviews.stats; whole buckets."
    )
    hopping_window_seconds: PositiveInt = Field(
        600, description="Length of the windows that overlap, one begins with every tumbling one."
    )
    grace_seconds: PositiveSeconds = Field(60.0, description="Late events are waited for so long.")
    idle_seconds: PositiveSeconds = Field(
        30.0, description="A partition that is silent for longer holds no window open."
    )
    retention_hours: PositiveSeconds = Field(6.0, description="Buckets are kept so long.")
    baseline_reviews: PositiveInt = Field(
        2000,
        description="First reviews of a model that tell what is normal, if its folder doesn't.",
    )
    publish: bool = Field(True, description="Publish windows to reviews.stats.")
    alert_reviews: PositiveInt = Field(
        200, description="Fewer in a hopping window say nothing about shares and drift."
    )
    alert_hold_seconds: float = Field(
        60.0, ge=0, description="A value must stay beyond a level for so long."
    )
    alert_relabel_share: Levels = Field((0.4, 0.3), description="Share of unsure reviews.")
    alert_mix_psi: Levels = Field(
        (0.25, 0.1), description="Drift of the category mix, PSI beyond chance."
    )
    alert_confidence_psi: Levels = Field((0.25, 0.1), description="Drift of the confidence, PSI.")
    alert_unknown_share: Levels = Field(
        (0.05, 0.03), description="Share of word pieces that the model does not know."
    )
    alert_dead_share: Levels = Field((0.05, 0.02), description="Share of dead letters.")
    alert_lag: Levels = Field((10_000, 1_000), description="Reviews that wait for a worker.")
    alert_silence_seconds: Levels = Field(
        (60, 5), description="Reviews wait and no worker has finished a batch for so long."
    )
    alert_backlog: Levels = Field((5_000, 4_000), description="Reviews that wait for a person.")

    @model_validator(mode="after")
    def _windows_are_whole(self) -> Self:
        if self.window_seconds % self.bucket_seconds:
            raise ValueError("window_seconds must be a multiple of bucket_seconds")
        if self.hopping_window_seconds % self.window_seconds:
            raise ValueError("hopping_window_seconds must be a multiple of window_seconds")
        return self


class LearningSettings(_Section):
    """The learning loop: `reviews retrain` and `reviews model`."""

    registry: Path = Field(
        Path(".reviews/registry"),
        description="Folder of all model versions. Workers serve announced models from here alone.",
    )
    registry_seen_at: Path | None = Field(
        None, description="The same folder as the workers see it, if they mount it elsewhere."
    )
    signing_key: SecretStr | None = Field(
        None, description="Private key that signs what is announced to workers."
    )
    signing_key_file: Path | None = Field(
        None, description="File of the private key, which its owner alone may read."
    )
    family: str = Field("bert", min_length=1, description="Model family in force.")
    runs: Path = Field(Path(".reviews/retrain"), description="Datasets and reports of retrainings.")
    base: tuple[Path, ...] = Field(
        (), description="Labelled files or datasets that every training begins with."
    )
    frozen: tuple[Path, ...] = Field(
        (), description="Labelled files to compare models on, never trained on; our 270 unless set."
    )
    held_out_share: float = Field(
        0.15,
        ge=0,
        lt=1,
        description="Share of people's labels kept for comparing, never trained on.",
    )


class TrackingSettings(_Section):
    """Records of trainings and comparisons in MLflow; they need the extra `mlflow`.

    MLflow's own variables say how to sign in (``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_TOKEN``,
    ...). ``MLFLOW_TRACKING_URI`` is not read: an address set for other work starts no upload here.
    """

    uri: SecretStr | None = Field(
        None, description="Tracking server (http, https) or a folder. Unless set, none is kept."
    )
    experiment: str = Field("reviews", min_length=1, description="Experiment that runs belong to.")
    texts: bool = Field(
        False, description="Also send the page of a comparison, which holds texts of reviews."
    )


class GateSettings(_Section):
    """What a new model must show before it serves."""

    better_with: float = Field(
        0.9, gt=0.5, lt=1, description="Share of bootstrap resamples in which it must be better."
    )
    resamples: PositiveInt = Field(2000, description="Resamples of the paired bootstrap.")
    category_loss: float = Field(0.1, ge=0, le=1, description="No category's F1 may fall by more.")
    category_support: PositiveInt = Field(
        10, description="Categories with fewer frozen reviews are not judged by themselves."
    )
    precision: float = Field(
        0.95, gt=0, le=1, description="Wanted of what is published unseen, or what serving reaches."
    )
    precision_loss: float = Field(0.02, ge=0, le=1, description="Allowed below that.")
    published_loss: float = Field(
        0.1, ge=0, le=1, description="The share published unseen may not fall by more."
    )
    calibration_error: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Expected calibration error allowed, unless the serving's is worse.",
    )
    canaries: Path | None = Field(
        None, description="Labelled texts whose right answers must stay right; ours unless set."
    )
    slower: float = Field(
        1.5, ge=1, description="Time per review allowed, times the serving model's."
    )
    larger: float = Field(1.5, ge=1, description="Size allowed, times the serving model's.")


class HttpSettings(_Section):
    """Health and metrics of the worker."""

    host: str = Field("127.0.0.1", description="Loopback unless set.")
    port: int = Field(9400, ge=0, le=65535, description="0: any free port.")
    enabled: bool = True


class LogSettings(_Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )
    redact: bool = Field(
        True,
        description="Mask the kinds of personal data that `privacy.redact_kinds` names in log lines.",
    )


class PrivacySettings(_Section):
    """Personal data in what is stored."""

    redact_stored: bool = Field(
        False,
        description="Workers mask personal data before they store a text to be labelled or a dead "
        "letter, or classify one. Category topics keep what was sent.",
    )
    redact_kinds: tuple[Kind, ...] = Field(
        ALWAYS,
        description="What is masked, there and in logs; also passport, snils, account (bank "
        "accounts), messenger (names and links). In the environment: a JSON list.",
    )


class TracingSettings(_Section):
    """OpenTelemetry traces; they need the extra `otel`."""

    enabled: bool = Field(False, description="Make spans of producers and workers.")
    endpoint: str = Field(
        "http://127.0.0.1:4318/v1/traces",
        pattern=r"^https?://\S+$",
        description="Collector, OTLP over HTTP.",
    )
    sample_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of a producer's calls that are traced; workers follow what it chose.",
    )


class Settings(BaseSettings):
    """All options. ``REVIEWS_WORKER__BATCH_ROWS=512`` sets ``worker.batch_rows``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        env_ignore_empty=False,
    )

    taxonomy: Path | None = Field(
        None,
        description="Folder of the taxonomy, or its `taxonomy.toml`: which categories there are. The "
        "bundled one of marketplace reviews unless set.",
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    topics: TopicSettings = Field(default_factory=TopicSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    incoming: IncomingSettings = Field(default_factory=IncomingSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    queue: QueueSettings = Field(default_factory=QueueSettings)
    label: LabelSettings = Field(default_factory=LabelSettings)
    monitor: MonitorSettings = Field(default_factory=MonitorSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    gate: GateSettings = Field(default_factory=GateSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)

    @field_validator("taxonomy", mode="before")
    @classmethod
    def _none_if_empty(cls, said: Any) -> Any:
        return said or None

    @field_validator("taxonomy")
    @classmethod
    def _activate(cls, path: Path | None) -> Path | None:
        """Make the named taxonomy this process's: its categories are what events are checked by."""
        if path is not None and not is_active(path):
            activate(load_taxonomy(path))
        return path

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take over settings of another process, and its taxonomy."""
        super().__setstate__(state)
        self._activate(self.taxonomy)

    @property
    def topic_names(self) -> TopicNames:
        """Names of all topics under the configured prefix."""
        return TopicNames(self.topics.prefix, self.topics.output_suffix, self.topics.layout)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, TOML file."""
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=config_file()),
        )


def config_file() -> Path:
    """Return the TOML file that settings are read from, whether it exists or not."""
    return Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))


def load_settings(**overrides: object) -> Settings:
    """Read the settings in force.

    Args:
        overrides: sections given by a command's options, e.g. ``topics={"prefix": "demo"}``.

    Raises:
        ConfigError: a setting is unknown or has a wrong value; the message names all of them.
    """
    path = config_file()
    if CONFIG_VARIABLE in os.environ and not path.is_file():
        raise ConfigError(
            f"{CONFIG_VARIABLE} names {path}, which is not there", f"unset {CONFIG_VARIABLE}"
        )
    if (unknown := unknown_variables(Settings)) is not None:
        raise ConfigError(f"settings: {unknown[0]}", unknown[1])
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the sections
    except ValidationError as error:
        problems, remedy = mistakes_in(error, Settings, path)
        raise ConfigError(f"settings: {problems}", remedy) from None
    except ValueError as error:  # a TOML file that does not parse
        raise ConfigError(f"settings: {error}", f"correct {path}") from None
