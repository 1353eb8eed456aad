"""Running `reviews` as a person does: in a process of its own, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COMMAND = (sys.executable, "-m", "stream")
# Generous: it only bounds a failure.
SECONDS = 120


def environment(**variables: str) -> dict[str, str]:
    """Return our environment without REVIEWS_*, and with these variables."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REVIEWS_")}
    return {**ours, **variables}


def reviews(
    *arguments: str, stdin: str | None = None, cwd: Any = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=cwd,
        env=environment(**variables),
    )


@contextmanager
def running(*arguments: str, cwd: Any = None, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background; it is killed at the end if it still runs."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(**variables),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], words: str) -> str:
    """Read standard error until a line holds the words.

    Raises:
        AssertionError: it ended before; the message holds what it said.
    """
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return line
    raise AssertionError(f"never said {words!r}: {''.join(said)}")


def assert_one_clear_line(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Check that a failure is one line that says what is wrong and one that says what to do."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert lines[-2].startswith("error: "), result.stderr
    assert lines[-1].strip().startswith("try: ")
    assert all(word in result.stderr for word in words), result.stderr
