"""``make bench``: every benchmark, one after another, and the regression guard.

The model is one of the starter's shape with random weights (:mod:`tests.bench.starter_shape`), so
that the peers that run torch have the same weights.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from stream.cli.console import note
from tests.bench.guard import regressions
from tests.bench.starter_shape import write_starter_shape

RECORDED: Final = Path(__file__).with_name("recorded")
_BENCHES: Final = ("model", "pipeline", "latency", "scaling", "partitions", "peers", "reference")


def main() -> int:
    """Run what was asked for; 1 if anything became slower than recorded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help=f"of {', '.join(_BENCHES)}; all by default")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(_BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    output: Path = arguments.output
    folder = output / "starter-shape"
    if not (folder / "manifest.json").is_file():
        note("making a model of the starter's shape, with random weights")
        write_starter_shape(folder)
    for name in _BENCHES:
        if name in (arguments.only or _BENCHES):
            _run(name, folder, output, arguments.rounds)
    slower = regressions(RECORDED, output)
    for line in slower:
        note(f"slower than recorded: {line}")
    return 1 if slower else 0


def _run(name: str, folder: Path, output: Path, rounds: int) -> None:
    options = ["--rounds", str(rounds), "--output", str(output)]
    if name == "peers":
        command = ["-m", "tests.bench.peers", str(folder)]
    elif name == "reference":  # its ratio is that of the model that is shipped
        command = ["-m", "tests.bench.reference"]
    else:
        command = ["-m", "stream", "bench", name]
    environment = os.environ | {"REVIEWS_MODEL__FOLDER": str(folder)}
    subprocess.run([sys.executable, *command, *options], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
