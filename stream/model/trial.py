"""The trial of a model in a process of its own, with limits: what it does to that one hurts nobody.

A graph may loop for ever, take all memory or bring the process down, and a library may raise
anything; then the child is refused, by its exit or by its clock, and the parent goes on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import stream
from schemas import active_taxonomy
from stream.errors import ModelError
from stream.model.trial_child import TrialOptions
from stream.settings import ModelSettings

_REPORT_CHARS: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Trial:
    """One trial of one model folder.

    Args:
        folder: of the model.
        settings: how a worker loads it, and the limits.
        checked: its digests are known to be right.

    The child has this process's taxonomy, and none of its settings.
    """

    def __init__(self, folder: Path, settings: ModelSettings, *, checked: bool = False) -> None:
        self._options = TrialOptions(
            str(folder),
            settings.device,
            settings.threads,
            settings.chunk_tokens,
            settings.trial_seconds,
            settings.trial_memory_mb,
            checked,
        )
        # Not by its name: what lies there may have changed since this process read it.
        self._taxonomy = active_taxonomy().model_dump_json(by_alias=True).encode()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> None:
        """Load the model in a child process, run its self-test and a warm-up. Blocks.

        Raises:
            ModelError: the child failed, or reached a limit.
        """
        options = self._options
        with subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            # -P: what lies in the working folder is no module of ours.
            [sys.executable, "-P", "-m", "stream.model.trial_child", json.dumps(asdict(options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # a Ctrl-C for the parent is no verdict on the model
        ) as self._child:
            try:
                if self._stopped:
                    self._child.kill()
                report, _ = self._child.communicate(self._taxonomy, timeout=options.seconds)
            except subprocess.TimeoutExpired:
                raise _too_slow(options.seconds) from None
            finally:
                self._child.kill()
        if self._child.returncode == 0:
            return
        raise ModelError(self._reason(report), "restore the folder from the registry")

    def stop(self) -> None:
        """End the child, from any thread; :meth:`run` then raises."""
        self._stopped = True
        if self._child is not None:
            self._child.kill()

    def _reason(self, report: bytes) -> str:
        code = self._child.returncode if self._child else 0
        if code == -signal.SIGALRM:
            return _too_slow(self._options.seconds).message
        if code < 0:
            return (
                f"the model ended its trial process by {signal.Signals(-code).name}; "
                f"{self._options.memory_mb} MB were allowed"
            )
        said = brief(report.decode("utf-8", "replace"))
        return said or f"the model's trial process ended with exit code {code}"


def brief(text: str) -> str:
    """Return a stranger's words on one line, without control characters, cut to a bearable length."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= _REPORT_CHARS else line[:_REPORT_CHARS].rstrip() + "…"


def _too_slow(seconds: float) -> ModelError:
    return ModelError(
        f"the model did not load and warm up within {seconds:g} seconds",
        "REVIEWS_MODEL__TRIAL_SECONDS, if it is only large",
    )


def _environment() -> dict[str, str]:
    """Return our environment without our secrets, and with our own code first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REVIEWS_")}
    ours = str(Path(stream.__file__).resolve().parent.parent)
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (ours, kept.get("PYTHONPATH"))))}
