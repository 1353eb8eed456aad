"""Programs that some tests need and a machine may lack, and what a run says of skipped tests.

A test that needs one skips with a reason of one form, :func:`absent`. From these reasons the end of
a run makes one line: how many tests were not tried, which programs they need, what installs them.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pytest

# The program, and Debian's package that brings it.
PACKAGES: Final[Mapping[str, str]] = {
    "chromium": "chromium",
    "kcat": "kcat",
    "make": "make",
    "nutcracker": "nutcracker",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}
_REASON: Final = re.compile(r"(?P<program>\S+) is not installed: apt-get install (?P<package>\S+)")


def absent(program: str) -> str:
    """Return why a test is skipped."""
    return f"{program} is not installed: apt-get install {PACKAGES[program]}"


def needs(program: str) -> pytest.MarkDecorator:
    """Return the mark of tests that skip without a program."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=absent(program))


def not_tried(reasons: Iterable[str]) -> str:
    """Return one line on the tests that were skipped; empty if there are none.

    Args:
        reasons: one for each skipped test.
    """
    counts = Counter(reasons)
    needed, others, packages = [], [], set()
    for reason, count in counts.most_common():
        if found := _REASON.search(reason):
            needed.append(f"{count} {'need' if count > 1 else 'needs'} {found['program']}")
            packages.add(found["package"])
        else:
            others.append(f"{count} because {reason}")
    if not counts:
        return ""
    total = counts.total()
    line = (
        f"{total} test{' was' if total == 1 else 's were'} not tried: {', '.join(needed + others)}"
    )
    return f"{line}; apt-get install {' '.join(sorted(packages))}" if packages else line


class NotTried:
    """A pytest plugin: the last words of a run are on what it did not try."""

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        skipped = terminalreporter.stats.get("skipped", [])
        # A skipped test's report holds file, line and "Skipped: why".
        reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
        if line := not_tried(reasons):
            terminalreporter.write_line(line, yellow=True)
