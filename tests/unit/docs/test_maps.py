"""What the maintainers' pages point at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
_PATH = re.compile(r"`((?:schemas|stream|training|deploy|tests)/[\w./-]*)`")


def paths():
    return [
        pytest.param(page, path, id=f"{page}: {path}")
        for page in PAGES
        for path in sorted(set(_PATH.findall((ROOT / page).read_text(encoding="utf-8"))))
    ]


@pytest.mark.parametrize(("page", "path"), paths())
def test_a_path_on_a_map_leads_somewhere(page, path):
    assert (ROOT / path).exists()


def test_the_maps_name_many_paths():
    assert len(paths()) > 40
