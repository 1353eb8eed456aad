"""Another account of this machine, and what it can do: for tests that run as root."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_NOBODY = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")


def as_another_account(code: str) -> str:
    """Run Python code as `nobody`, without our groups; return what it printed.

    The interpreter begins as ourselves: it may lie where nobody else can enter. So what the code
    uses beyond ``os`` and ``socket`` may not be found any more.

    Raises:
        AssertionError: it failed.
    """
    become = f"import os, socket; os.setgroups([]); os.setgid({_NOBODY}); os.setuid({_NOBODY})"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{become}\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
