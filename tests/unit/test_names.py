"""One name, one meaning: no two public classes of the product are called the same."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_class_name_means_one_thing():
    found = {}
    for package in ("schemas", "stream", "training"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found.setdefault(node.name, []).append(file.relative_to(ROOT).as_posix())
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
