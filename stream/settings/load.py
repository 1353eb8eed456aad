"""Every option of the online half: its environment name, default and meaning.

Sources, the first that speaks wins: arguments of a command, environment (``REVIEWS_KAFKA__...``),
the TOML file named by ``REVIEWS_CONFIG`` (``reviews.toml`` in the working folder unless set),
defaults. Secrets belong into the environment; they are masked whenever settings are shown.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Self

from pydantic import (
    Field,
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
from schemas.taxonomy import is_active
from schemas.topics import TopicNames
from stream.errors import ConfigError
from stream.settings.guard import GuardSettings
from stream.settings.kafka import KafkaSettings, TopicSettings
from stream.settings.mistakes import PREFIX, mistakes_in, unknown_variables
from stream.settings.monitor import MonitorSettings
from stream.settings.operations import HttpSettings, LogSettings, PrivacySettings, TracingSettings
from stream.settings.queue import QueueSettings
from stream.settings.schema_registry import SchemaRegistrySettings
from stream.settings.training import GateSettings, LabelSettings, LearningSettings, TrackingSettings
from stream.settings.worker import (
    AuditSettings,
    CacheSettings,
    IncomingSettings,
    ModelSettings,
    WorkerSettings,
)

CONFIG_VARIABLE: Final = "REVIEWS_CONFIG"
DEFAULT_CONFIG: Final = Path("reviews.toml")


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
    schema_registry: SchemaRegistrySettings = Field(default_factory=SchemaRegistrySettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    guard: GuardSettings = Field(default_factory=GuardSettings)
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

    @model_validator(mode="after")
    def _reads_none_of_its_own(self) -> Self:
        """Refuse to read what is written: a worker would sort its own outcomes for ever."""
        names = self.topic_names
        ours = {policy.name for policy in names.policies() if not policy.foreign}
        if names.existing in ours:
            raise ValueError(
                f"topics.incoming names {names.existing}, to which this pipeline writes itself"
            )
        return self

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take over settings of another process, and its taxonomy."""
        super().__setstate__(state)
        self._activate(self.taxonomy)

    @property
    def topic_names(self) -> TopicNames:
        """Names of all topics under the configured prefix."""
        topics = self.topics
        return TopicNames(topics.prefix, topics.output_suffix, topics.layout, topics.incoming)

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
    except RecursionError:
        raise ConfigError(
            "settings: lists in lists without end",
            f"correct {path}, or the variable that holds them",
        ) from None
    except ValueError as error:  # a TOML file that does not parse
        raise ConfigError(f"settings: {error}", f"correct {path}") from None
