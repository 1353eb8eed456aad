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
    assert all(f"  {target} " in shown for target in ("demo", "check", "test", "lint", "clean"))


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


@pytest.fixture
def ran(checkout):
    """Return the file in which programs of an installed environment note how they were called."""
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    for stamp in (".ready-demo", ".ready-all"):
        (checkout / ".venv" / stamp).touch()
    noted = checkout / "ran"
    for name in ("python", "ruff", "mypy"):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "{name} $@" >> {noted}\n. ./does\n', encoding="utf-8")
        program.chmod(0o755)
    (checkout / "does").touch()
    return noted


def test_a_part_of_the_tests_that_fails_keeps_no_other_from_being_tried(checkout, ran):
    (checkout / "does").write_text('case "$*" in *test_monitor.py*) exit 1;; esac\n')
    assert make(checkout, "test").returncode != 0
    assert len(ran.read_text(encoding="utf-8").splitlines()) == 3


def test_every_part_of_the_tests_is_bounded(checkout, ran):
    assert make(checkout, "test").returncode == 0
    parts = ran.read_text(encoding="utf-8").splitlines()
    assert sum(int(part.split("--session-timeout=")[1].split()[0]) for part in parts) <= 3600


def test_a_choice_of_tests_that_leaves_a_part_empty_is_no_failure(checkout, ran):
    (checkout / "does").write_text('case "$*" in *test_monitor.py*) exit 5;; esac\n')
    assert make(checkout, "test", "ARGS=-k queue").returncode == 0
    assert all("-k queue" in part for part in ran.read_text(encoding="utf-8").splitlines())


def test_check_looks_at_style_types_unit_tests_and_a_pipeline(checkout, ran):
    assert make(checkout, "check").returncode == 0
    called = ran.read_text(encoding="utf-8")
    assert all(program in called for program in ("ruff check", "ruff format --check", "mypy"))
    assert "tests/unit tests/integration/test_worker.py::" in called


def test_what_check_runs_of_the_pipeline_exists():
    line = next(
        line
        for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
        if line.startswith("ONE_PIPELINE")
    )
    file, test = line.split(":= ")[1].split("::")
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
