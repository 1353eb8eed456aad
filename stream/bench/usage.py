"""What processes cost: CPU seconds of the servers and workers that this benchmark started."""

from __future__ import annotations

from typing import Final

_KINDS: Final = {"java": "broker", "valkey-server": "redis"}


def cpu_seconds() -> dict[str, float]:
    """Return CPU seconds so far, by ``broker``, ``redis``, ``workers`` and ``benchmark``.

    Servers that somebody else started are not seen; without the package psutil, nothing is.
    """
    try:
        import psutil  # noqa: PLC0415 - comes with the embedded servers
    except ImportError:
        return {}
    us = psutil.Process()
    spent: dict[str, float] = {}
    for process in (us, *us.children(recursive=True)):
        try:
            name, times = process.name(), process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        kind = "benchmark" if process == us else _KINDS.get(name, "workers")
        spent[kind] = spent.get(kind, 0.0) + times.user + times.system
    return spent
