"""Every option of the product, in one model: one section a module; ``load`` puts them together."""

from stream.settings.fields import BUNDLED_MODEL, EMBEDDED_REDIS, USUAL_REDIS
from stream.settings.guard import GuardSettings
from stream.settings.kafka import KafkaSettings, TopicSettings
from stream.settings.load import CONFIG_VARIABLE, Settings, config_file, load_settings
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

__all__ = [
    "BUNDLED_MODEL",
    "CONFIG_VARIABLE",
    "EMBEDDED_REDIS",
    "USUAL_REDIS",
    "AuditSettings",
    "CacheSettings",
    "GateSettings",
    "GuardSettings",
    "HttpSettings",
    "IncomingSettings",
    "KafkaSettings",
    "LabelSettings",
    "LearningSettings",
    "LogSettings",
    "ModelSettings",
    "MonitorSettings",
    "PrivacySettings",
    "QueueSettings",
    "SchemaRegistrySettings",
    "Settings",
    "TopicSettings",
    "TracingSettings",
    "TrackingSettings",
    "WorkerSettings",
    "config_file",
    "load_settings",
]
