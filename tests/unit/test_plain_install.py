"""What serves imports only what a plain install brings: no extra, and nothing that tests happen to have."""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"schemas", "stream", "training", "deploy"}
# Of the extra `otel`: loaded when tracing is switched on, and the command names the extra if it is absent.
OPTIONAL = {"stream/tracing/spans.py": {"opentelemetry"}}


def name_of(requirement):
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]).lower()


def brought():
    """Return the distributions of the base dependencies and of what these need themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found, left = set(), [name_of(line) for line in project["dependencies"]]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # for another platform
            continue
        left += [name_of(line) for line in needed if "extra ==" not in line]
    return found


def loaded_with(file):
    """Yield the modules that a file imports as soon as it is imported itself."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("room", ["schemas", "stream"])
def test_every_module_loads_with_the_base_dependencies_alone(room):
    of, base = packages_distributions(), brought()
    absent = set()
    for file in (ROOT / room).rglob("*.py"):
        path = str(file.relative_to(ROOT))
        foreign = set(loaded_with(file)) - OURS - set(sys.stdlib_module_names)
        absent |= {
            f"{path} imports {name}"
            for name in foreign - OPTIONAL.get(path, set())
            if not {name_of(found) for found in of.get(name, [name])} & base
        }
    assert not absent
