"""`make` on a machine that lacks something: one clear line that says what to do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.optional_programs import needs

ROOT = Path(__file__).parents[3]

pytestmark = needs("make")


@pytest.fixture
def checkout(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout, *arguments):
    return subprocess.run(
        ["make", *arguments], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
    )


def python_that(checkout, does):
    path = checkout / "python"
    path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    path.chmod(0o755)
    return f"PYTHON={path}"


def test_without_a_target_the_targets_are_listed(checkout):
    shown = make(checkout).stdout
    assert all(f"  {target} " in shown for target in ("demo", "test", "lint", "clean", "help"))


def test_a_python_that_is_too_old_is_one_clear_line(checkout):
    result = make(checkout, "demo", python_that(checkout, "exit 1"))
    assert result.returncode != 0
    assert "too old: Python 3.11 or newer is needed" in result.stderr
    assert "try: make PYTHON=" in result.stderr


def test_no_python_at_all_is_one_clear_line(checkout):
    result = make(checkout, "demo", "PYTHON=")
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stderr


def test_a_python_without_venv_is_one_clear_line(checkout):
    result = make(checkout, "demo", python_that(checkout, '[ "$1" = -c ]'))
    assert result.returncode != 0
    assert "python3-venv" in result.stderr
    assert not (checkout / ".venv").exists()


def test_what_is_installed_is_not_installed_again(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").touch()
    ran = checkout / "ran"
    reviews = checkout / ".venv" / "bin" / "reviews"
    reviews.write_text(f'#!/bin/sh\necho "$@" > {ran}\n', encoding="utf-8")
    reviews.chmod(0o755)
    (checkout / ".venv" / ".ready-demo").touch()
    result = make(checkout, "demo", "ARGS=--keep")
    assert result.returncode == 0, result.stderr
    assert ran.read_text(encoding="utf-8") == "demo --keep\n"
