"""Names and passwords inside addresses and commands, kept out of what is shown."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "**********"
# In a sentence: up to the first @ after //, without crossing a slash or a space.
_ACCOUNT: Final = re.compile(r"(?<=//)[^/@\s]++@")


def hide_accounts(text: str) -> str:
    """Return a text in which no address has a name or password: ``http://**********@host``."""
    return _ACCOUNT.sub(f"{MASK}@", text) if "://" in text else text


def shown_address(address: str) -> str:
    """Return an address without what signs in: no account, no query.

    Whatever stands before the last @ is held for the account, so that a password with a slash in it
    is not taken for a path.
    """
    scheme, mark, rest = address.partition("://")
    account, at, rest = rest.rpartition("@")
    rest = rest.partition("#")[0].partition("?")[0]
    return f"{scheme}{mark}{MASK if account else ''}{at}{rest}"


def shown_command(command: str) -> str:
    """Return a command's program alone: any of its arguments may be a password."""
    program, *arguments = command.split(maxsplit=1)
    return f"{program} {MASK}" if arguments else program
