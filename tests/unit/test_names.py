"""One name, one meaning: no two public classes are called the same, and what a docstring names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = re.compile(r":(?:func|class|meth|data|mod|attr):`~?([\w.]+)`")


def test_a_class_name_means_one_thing():
    found = {}
    for package in ("schemas", "stream", "training"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found.setdefault(node.name, []).append(file.relative_to(ROOT).as_posix())
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def is_there(name, source):
    """Tell whether a docstring's reference leads somewhere: into its own module, or by a whole path."""
    first, *parts = name.split(".")
    if first not in {"schemas", "stream", "training", "deploy"}:
        return re.search(rf"\b{first}\b", REFERENCE.sub("", source)) is not None
    place = ROOT / first
    while parts and ((place / parts[0]).is_dir() or (place / f"{parts[0]}.py").exists()):
        place /= parts.pop(0)
    module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return not parts or re.search(rf"\b{parts[0]}\b", module.read_text("utf-8")) is not None


def test_what_a_docstring_refers_to_is_there():
    lost = []
    for package in ("schemas", "stream", "training", "deploy"):
        for file in (ROOT / package).rglob("*.py"):
            source = file.read_text(encoding="utf-8")
            lost += [
                f"{file.relative_to(ROOT)}: {name}"
                for name in REFERENCE.findall(source)
                if not is_there(name, source)
            ]
    assert lost == []
