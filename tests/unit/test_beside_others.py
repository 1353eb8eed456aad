"""Installed beside other people's packages, ours takes nothing of theirs, and says what is in its way."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"][
    "build"
]["targets"]["wheel"]


def test_the_wheel_keeps_every_package_in_a_folder_of_its_own_that_python_is_told_of():
    [(file, installed_as)] = WHEEL["force-include"].items()
    folder = (ROOT / file).read_text(encoding="utf-8").strip()
    assert WHEEL["sources"] == {name: f"{folder}/{name}" for name in WHEEL["packages"]}
    # Python reads files of this ending in site-packages itself, and in no folder below.
    assert installed_as == f"{folder}.pth"


def test_another_package_schemas_in_the_way_is_named_with_what_to_do(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("THEIRS = True")
    done = subprocess.run(
        [sys.executable, "-c", "import stream.clients"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert str(tmp_path / "schemas") in said
    assert "an environment of its own" in said
