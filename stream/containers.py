"""What a container lets us use: cores by affinity and quota, memory; cgroups of version 1 and 2.

The affinity of a pod with one CPU on a node of 64 names 64 cores: its limit is a quota, which the kernel
keeps by stopping all of its threads for the rest of each period.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, memory.max) and
https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

# Version 1 says "no limit" with the greatest multiple of a page.
_NO_LIMIT: Final = 2**60


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process may use.

    Attributes:
        affinity: cores that it may run on.
        quota: cores' worth of time that it gets; None: no limit.
        memory: bytes; None: no limit.
    """

    affinity: int
    quota: float | None
    memory: int | None

    @property
    def cores(self) -> int:
        """How many threads can compute at a time: a quota of one and a half feeds two."""
        return min(self.affinity, max(1, math.ceil(self.quota or self.affinity)))

    def described(self) -> str:
        """Return it in words, for logs and `reviews doctor`."""
        words = [f"{self.affinity} cores"]
        if self.quota is not None:
            words.append(f"a quota of {self.quota:g}")
        if self.memory is not None:
            words.append(f"{self.memory / 1024**2:,.0f} MiB of memory at most")
        return ", ".join(words)


def limits(root: Path = Path("/")) -> Limits:
    """Return what this process may use.

    Args:
        root: where ``proc`` and ``sys`` are; a test's own.
    """
    quotas = [quota for folder in _folders(root, "cpu") if (quota := _quota(folder)) is not None]
    memory = [most for folder in _folders(root, "memory") if (most := _memory(folder)) is not None]
    return Limits(_affinity(), min(quotas, default=None), min(memory, default=None))


def available_cores() -> int:
    """Return how many threads of this process can compute at a time."""
    return limits().cores


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the groups that bound us: ours and all above it, as far as they can be seen.

    In a container the path may be the host's, which is not there; then its own group is the root.
    """
    try:
        lines = os.fsdecode((root / "proc/self/cgroup").read_bytes()).splitlines()
    except OSError:
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        number, names, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not names:
            tops = [mount, mount / "unified"]
        elif controller in names.split(","):
            tops = [mount / names, mount / controller]
        else:
            continue
        ours = PurePosixPath(path.lstrip("/"))
        for top in tops:
            yield from (top / group for group in (ours, *ours.parents))


def _quota(folder: Path) -> float | None:
    if (both := _read(folder / "cpu.max")) is not None:
        quota, _, period = both.partition(" ")
    else:
        quota = _read(folder / "cpu.cfs_quota_us") or ""
        period = _read(folder / "cpu.cfs_period_us") or ""
    if not quota.isdecimal() or not period.isdecimal() or not int(period):  # "max", -1, nothing
        return None
    return int(quota) / int(period)


def _memory(folder: Path) -> int | None:
    most = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes") or ""
    return int(most) if most.isdecimal() and int(most) < _NO_LIMIT else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None
