"""The rooms' arrows: who may import whom, read from the source and seen in a process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "schemas": {"stream", "training", "deploy", "torch", "transformers"},
    "stream": {"training", "torch", "transformers", "sklearn", "peft"},
    "training": {"tests"},
    "deploy": {"training", "torch", "transformers", "tests"},
}


def imported_by(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_its_arrows_allow(room):
    found = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / room).rglob("*.py")
        for name in imported_by(file)
        if name in FORBIDDEN[room]
    }
    assert not found


def test_a_worker_runs_without_torch_and_training():
    code = (
        "import sys, stream.worker, stream.clients, stream.cli.app; "
        "print([m for m in ('torch', 'transformers', 'sklearn', 'training') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
