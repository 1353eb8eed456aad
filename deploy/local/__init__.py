"""A real Apache Kafka and a real Redis from registry packages: no Docker, no system Java."""

from deploy.local.elsewhere import left_running
from deploy.local.errors import (
    AlreadyRunning,
    DataFolderError,
    DownloadFailed,
    LocalStackError,
    NotInstalled,
    PortTaken,
    StartFailed,
)
from deploy.local.jars import JarCache
from deploy.local.kafka import LocalKafka
from deploy.local.redis import LocalRedis
from deploy.local.stack import LocalStack, ServerStatus, StackStatus

__all__ = [
    "AlreadyRunning",
    "DataFolderError",
    "DownloadFailed",
    "JarCache",
    "LocalKafka",
    "LocalRedis",
    "LocalStack",
    "LocalStackError",
    "NotInstalled",
    "PortTaken",
    "ServerStatus",
    "StackStatus",
    "StartFailed",
    "left_running",
]
