"""The case is data: no module names one of its categories."""

import ast
from pathlib import Path

import pytest

from schemas import active_taxonomy

ROOT = Path(__file__).parents[3]
MODULES = [
    path
    for room in ("schemas", "stream", "training")
    for path in sorted((ROOT / room).rglob("*.py"))
]
# What strangers call their category for the rest; ours is one of these words.
ALLOWED = {("stream/taxonomies/proposal.py", "no-product")}


def literals(tree):
    """Yield string constants that are no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if text and id(node) not in docstrings:
            yield node.value


def named(source, slugs):
    """Return the slugs that a module's own strings are."""
    return {text for text in literals(ast.parse(source)) if text in slugs}


@pytest.mark.parametrize("room", ["schemas", "stream", "training"])
def test_no_module_names_a_category(room):
    slugs = set(active_taxonomy().slugs)
    found = {
        (str(path.relative_to(ROOT)), slug)
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == room
        for slug in named(path.read_text(encoding="utf-8"), slugs)
    }
    assert found <= ALLOWED


def test_a_module_that_did_would_be_found():
    assert named('"""About kids."""\nX = Category("kids")\n', {"kids"}) == {"kids"}
