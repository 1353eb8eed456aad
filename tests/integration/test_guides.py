"""The guides for producers and consumers, block by block, typed in as they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import environment, reviews, running, wait_for_line
from tests.support.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
SECONDS = 120
_BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


def blocks(guide):
    return _BLOCK.findall((DOCS / guide).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def variables(kafka, tmp_path_factory):
    """Where the guides' commands find Kafka, a model and no cache. Topics have the default names."""
    folder = tmp_path_factory.mktemp("guides") / "model"
    write_tiny_model(folder)
    found = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_MODEL__FOLDER": str(folder),
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_HTTP__PORT": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    assert reviews("topics", "create", **found).returncode == 0
    return found


def type_in(language, block, variables):
    if "kcat" in block and shutil.which("kcat") is None:
        pytest.skip("kcat is not installed")
    command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*command, block],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=ROOT,
        env=environment(**variables),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("language", "block"), blocks("producers.md"))
def test_what_the_producers_guide_shows_works(language, block, variables):
    type_in(language, block, variables)


@pytest.mark.parametrize(("language", "block"), blocks("consumers.md"))
def test_what_the_consumers_guide_shows_finds_what_producers_sent(language, block, variables):
    sent = reviews("produce", "-", stdin="сапоги жмут\nплатье село\nтут непонятно\n", **variables)
    assert sent.returncode == 0, sent.stderr
    with running("work", **variables) as worker:
        wait_for_line(worker, "worker_started")
        categories = ("--limit", "2"), ("--relabel", "--limit", "1")
        assert all(reviews("consume", *limit, **variables).returncode == 0 for limit in categories)
    assert "сапоги" in type_in(language, block, variables)
