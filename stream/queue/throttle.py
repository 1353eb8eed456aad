"""How soon a password may be tried again: a wait that doubles, by browser, account and address.

A wrong password in somebody's name must not shut that person out. So a browser in which they signed in
before is counted on its own (OWASP's device cookies), and all the others by account and address.
Kept in this process's memory: several servers count apart.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_FIRST_SECONDS: Final = 15.0
_LONGEST_SECONDS: Final = 900.0
# A hundred guesses a day at the longest wait; NIST SP 800-63B allows a hundred in all.
_FORGOTTEN_SECONDS: Final = 3600.0
# Of an account from all addresses, or of an address for all accounts: a team shares one address, and
# somebody's typing errors are not the others'.
_SHARED: Final = 10
# About 5 MB. Accounts that exist are kept besides: no flood of made-up names frees them.
_MOST_KEYS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who tries a password."""

    name: str
    exists: bool
    """There is such an account."""
    address: str
    device: str = ""
    """The mark of a browser that was signed in to this account before; empty: none."""


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class _Counted:
    """One thing that failures are counted by."""

    key: bytes
    free: int
    """So many cost no wait."""
    kept: bool = False


class Throttle:
    """Counts wrong passwords, and tells how long the next try has to wait.

    Args:
        free: wrong ones that cost no wait, of one account from one address or in one known browser.
        clock: monotonic seconds.
    """

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._secret = secrets.token_bytes(16)
        self._passing: OrderedDict[bytes, _Failures] = OrderedDict()
        self._kept: dict[bytes, _Failures] = {}

    def __len__(self) -> int:
        """How many counts are kept."""
        return len(self._passing) + len(self._kept)

    def wait(self, attempt: Attempt) -> float:
        """Return the seconds until this attempt may be made; 0: now."""
        return max(self._wait(counted) for counted in self._counted(attempt))

    def note(self, attempt: Attempt) -> None:
        """Count an attempt as failed, before its password is checked: many at once count, too."""
        now = self._clock()
        for counted in self._counted(attempt):
            table = self._kept if counted.kept else self._passing
            found = self._recent(counted) or table.setdefault(counted.key, _Failures())
            found.count += 1
            found.last = now
            if not counted.kept:
                self._passing.move_to_end(counted.key)
        while len(self._passing) > _MOST_KEYS:
            self._passing.popitem(last=False)

    def succeeded(self, attempt: Attempt) -> None:
        """Take back what :meth:`note` counted: the password was right."""
        own, *shared = self._counted(attempt)
        self._passing.pop(own.key, None)
        for counted in shared:
            if (found := self._recent(counted)) is not None:
                found.count -= 1

    def _counted(self, attempt: Attempt) -> Iterator[_Counted]:
        if attempt.device:
            yield self._by("device", attempt.name, attempt.device, free=self._free)
            return
        shared = self._free * _SHARED
        yield self._by("pair", attempt.name, attempt.address, free=self._free)
        yield self._by("account", attempt.name, free=shared, kept=attempt.exists)
        yield self._by("address", attempt.address, free=shared)

    def _by(self, *parts: str, free: int, kept: bool = False) -> _Counted:
        # Digests: what somebody sends as a name may be long, and is not to be kept.
        said = "\0".join(parts).encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(said, key=self._secret, digest_size=16).digest()
        return _Counted(key, free, kept)

    def _wait(self, counted: _Counted) -> float:
        found = self._recent(counted)
        if found is None or found.count < counted.free:
            return 0.0
        doublings = min(found.count - counted.free, 10)
        pause = min(_FIRST_SECONDS * (1 << doublings), _LONGEST_SECONDS)
        return max(0.0, found.last + pause - self._clock())

    def _recent(self, counted: _Counted) -> _Failures | None:
        table = self._kept if counted.kept else self._passing
        found = table.get(counted.key)
        if found is not None and self._clock() - found.last >= _FORGOTTEN_SECONDS:
            del table[counted.key]
            return None
        return found
