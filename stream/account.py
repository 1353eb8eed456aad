"""The account that a process runs as."""

from __future__ import annotations

import getpass


def account_name() -> str:
    """Return the account's name; "unknown" where it has none, as a container's user of any number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
