"""`make audit`: are there known vulnerabilities in what is installed here?

pip-audit does the asking. Where its database does not know a package, or is not there at all, it
says "No known vulnerabilities found" and exits with 0; this says that nothing was audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

VULNERABLE: Final = 1
NOT_AUDITED: Final = 3
# Ourselves: no database knows what is not published.
_OURS: Final = "reviews-stream"


@dataclass(slots=True)
class Findings:
    """What the audit found out."""

    audited: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Packages that the database does not know: nothing is said about them."""
    vulnerable: list[str] = field(default_factory=list)
    """One line a vulnerability."""


def installed() -> list[str]:
    """Return every package of this environment as ``name==version``, ours left out."""
    found = {
        f"{each.metadata['Name'].lower().replace('_', '-')}=={each.version}"
        for each in distributions()
    }
    return sorted(pin for pin in found if not pin.startswith(f"{_OURS}=="))


def read_report(report: str) -> Findings:
    """Read pip-audit's JSON.

    Raises:
        ValueError: it is no report.
    """
    findings = Findings()
    for package in json.loads(report)["dependencies"]:
        if "skip_reason" in package:
            findings.unknown.append(package["name"])
            continue
        pin = f"{package['name']} {package['version']}"
        findings.audited.append(pin)
        for known in package["vulns"]:
            fixed = ", ".join(known.get("fix_versions", ())) or "no release yet"
            findings.vulnerable.append(f"{pin}: {known['id']}, fixed in {fixed}")
    return findings


def audit(pip_audit: Path, pins: Iterable[str], options: Sequence[str] = ()) -> int:
    """Ask about every pin, print what was found, and return the exit code.

    Args:
        pip_audit: the program.
        pins: ``name==version``.
        options: for pip-audit, such as ``-s osv`` for another database.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(pins) + "\n")
        requirements.flush()
        command = [str(pip_audit), "-r", requirements.name, "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        findings = read_report(done.stdout)
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        _say(f"error: pip-audit gave no answer: {last[:200]}")
        _say("  try: a database that can be reached from here, make audit ARGS='-s osv'")
        return NOT_AUDITED
    return _tell(findings)


def _tell(findings: Findings) -> int:
    if not findings.audited:
        _say("error: no vulnerability database answers from here: nothing was audited")
        _say("  try: again where pypi.org can be reached, or make audit ARGS='-s osv'")
        return NOT_AUDITED
    for line in findings.vulnerable:
        print(line)  # noqa: T201 - the result
    if findings.unknown:
        _say(f"not known to the database: {', '.join(findings.unknown)}")
    _say(f"{len(findings.audited)} packages audited, {len(findings.vulnerable)} vulnerabilities")
    return VULNERABLE if findings.vulnerable else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - a program's words


if __name__ == "__main__":
    sys.exit(audit(Path(sys.argv[1]), installed(), sys.argv[2:]))
