"""The images install what is pinned, by SHA-256, and nothing else."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "deploy" / "docker"
LOCKS = sorted(path.name for path in DOCKER.glob("requirements*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(text):
    """Packages of a lock or of constraints: name to version."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def locked(name):
    return pins((DOCKER / name).read_text("utf-8"))


def entries(name):
    text = re.sub(r"^ *#.*\n", "", (DOCKER / name).read_text("utf-8"), flags=re.MULTILINE)
    return [entry for entry in re.split(r"\n(?=\S)", text.strip()) if entry]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_version_and_digests(name):
    assert len(entries(name)) == len(locked(name)) > 4
    for entry in entries(name):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt"])
def test_the_versions_are_those_that_everything_is_tested_with(name):
    tested = pins((ROOT / "constraints.txt").read_text("utf-8"))
    found = locked(name)
    known = found.keys() & tested.keys()
    assert len(known) > 60
    assert {package: found[package] for package in known} == {p: tested[p] for p in known}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt"])
def test_all_that_serving_needs_is_there(name):
    needed = {canonicalize_name(Requirement(r).name) for r in PROJECT["project"]["dependencies"]}
    if "gpu" in name:
        # Both builds of ONNX Runtime write the same files.
        needed = needed - {"onnxruntime"} | {"onnxruntime-gpu"}
    assert needed <= locked(name).keys()
    assert len(locked(name).keys() & {"onnxruntime", "onnxruntime-gpu"}) == 1


def test_what_builds_our_wheel_is_there():
    needed = {canonicalize_name(r) for r in PROJECT["build-system"]["requires"]}
    assert needed <= locked("requirements-build.txt").keys()


def test_the_dockerfile_installs_nothing_without_a_digest():
    text = (DOCKER / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*", text)
    assert len(installs) == 4
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line, line
