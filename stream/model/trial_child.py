"""The child of a trial: ``python -m stream.model.trial_child OPTIONS``; exit 0 if the model is good.

Not for people. It reads the taxonomy as JSON from standard input, and says on standard output why a
model is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_REFUSED: Final = 3
# The parent's clock is the first to strike; this one is for a child whose parent was killed.
_LONGER: Final = 5.0
# One call with a single short row, one with the longest, one with many of all lengths.
_WARM_UP: Final = (
    ("да",),
    ("платье " * 600,),
    (*("товар хороший, " * n + "👍 ok 42" for n in range(24)), "!?" * 300),
)


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """What the child is told: as a worker would load the model, and its limits."""

    folder: str
    device: str
    threads: int
    chunk_tokens: int
    seconds: float
    memory_mb: int
    checked: bool


def main() -> None:
    """Try a model within the limits, and end this process with the verdict."""
    options = TrialOptions(**json.loads(sys.argv[1]))
    report = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries print what is no verdict
    _limit(options)
    try:
        _try(options)
    except BaseException as error:  # noqa: BLE001 - whatever it raises, the model is refused
        with contextlib.suppress(BaseException):
            os.write(report, _words(error).encode("utf-8", "replace")[:2000])
        os._exit(_REFUSED)
    os._exit(0)  # at once: no library's farewell can hang or fail any more


def _limit(options: TrialOptions) -> None:
    """Bound time and memory, before anything large is imported."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, options.seconds + _LONGER)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = options.memory_mb << 20
    # Private writable memory (Linux 4.7). Not the address space: a GPU's driver reserves terabytes.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    # Where memory runs out all the same, this process goes, and not the worker.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _try(options: TrialOptions) -> None:
    import numpy as np  # noqa: PLC0415 - after the limits

    from schemas.taxonomy import Taxonomy, activate  # noqa: PLC0415 - likewise
    from stream.errors import ModelError  # noqa: PLC0415 - likewise
    from stream.model.classifier import Classifier  # noqa: PLC0415 - likewise
    from stream.text import normalize  # noqa: PLC0415 - likewise

    activate(Taxonomy.model_validate_json(sys.stdin.buffer.read()))
    folder = Path(options.folder)
    device = options.device
    model = Classifier.load(
        folder,
        device,  # type: ignore[arg-type]  # settings made sure that it is one
        options.threads,
        options.chunk_tokens,
        checked=options.checked,
    )
    for texts in _WARM_UP:
        predictions = model.score([normalize(text) for text in texts])
        if not np.isfinite(predictions.probabilities).all():
            raise ModelError("the model answers with what is no number")


def _words(error: BaseException) -> str:
    said = str(error)
    return said if type(error).__name__ == "ModelError" else f"{type(error).__name__}: {said}"


if __name__ == "__main__":
    main()
