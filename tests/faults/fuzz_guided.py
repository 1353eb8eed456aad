"""``python -m tests.faults.fuzz_guided``: bytes that reach new code, through what reads strangers'.

Atheris sees which lines of ours an input reaches and goes on from those that reached new ones. It is
optional: ``pip install 'reviews-stream[fuzz]'``, on Linux, for Python 3.11 to 3.13.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

_messages: Final = Console(stderr=True, highlight=False)
_ABSENT: Final = (
    "atheris is not installed, no coverage-guided fuzzing: pip install 'reviews-stream[fuzz]'"
)
# An input that takes longer than this, in seconds, is a fault.
_SLOW: Final = 20
_MAX_BYTES: Final = 4_096


def main(
    seconds: Annotated[int, typer.Option(help="How long each target is fed.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the mutations; 0: another one each time.")] = 0,
    only: Annotated[str, typer.Option(help="One target alone.")] = "",
) -> None:
    """Feed all targets one after the other; a failure prints the input and where it failed."""
    if importlib.util.find_spec("atheris") is None:
        _messages.print(_ABSENT, style="yellow")
        return
    from tests.faults.fuzz_targets import SEEDS, TARGETS  # noqa: PLC0415 - `feed` must see it first

    failed = False
    for target in [only] if only else list(TARGETS):
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder, "corpus")
            corpus.mkdir()
            for number, text in enumerate(SEEDS[target]):
                (corpus / str(number)).write_bytes(text.encode())
            command = [
                sys.executable, "-m", "tests.faults.fuzz_guided", "feed", target,
                f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_MAX_BYTES}",
                f"-timeout={_SLOW}", f"-artifact_prefix={folder}/", str(corpus),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            _messages.print(f"{target}: {_figures(done.stderr)}", markup=False)
        else:
            failed = True
            _messages.print(
                f"{target}: failed\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}", markup=False
            )
    raise typer.Exit(failed)


def _figures(said: str) -> str:
    """Return what libFuzzer says at its end: runs, and how much of our code they reached."""
    runs = re.findall(r"Done (\d+) runs in (\d+) second", said)
    reached = re.findall(r"cov: (\d+) ft: (\d+)", said)
    if not runs:
        return "no figures"
    count, seconds = runs[-1]
    return f"{int(count):,} inputs in {seconds} s, {reached[-1][0] if reached else '?'} branches"


def feed(target: str, options: list[str]) -> None:
    """Feed one target in this process; never returns."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415

    with atheris.instrument_imports(include=["schemas", "stream"]):
        from tests.faults.fuzz_targets import TARGETS  # noqa: PLC0415 - seen while it is imported
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["feed"]:
        feed(sys.argv[2], sys.argv[3:])
    typer.run(main)
