"""What still tells of an erased review is found, in whatever way a file spells its text."""

import html
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from schemas import active_taxonomy, using
from stream.operations.erasure_traces import find_traces
from stream.settings import Settings
from stream.text import normalize, short_fingerprint
from tests.support.other_account import needs_root
from tests.support.taxonomies import write_taxonomy

TEXT = 'Анна Петрова: "чайник" сгорел & <b>искрит</b>'


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "model").mkdir()
    return Settings.model_validate(
        {
            "learning": {"runs": tmp_path / "runs", "registry": tmp_path / "registry"},
            "label": {"llm_cache": tmp_path / "answers.sqlite"},
            "model": {"folder": tmp_path / "model"},
        }
    )


def left(settings, *look_in):
    return {t.where: t.what for t in find_traces(settings, [TEXT], [normalize(TEXT)], look_in)}


@pytest.mark.parametrize(
    "spelled",
    [
        TEXT,
        html.escape(TEXT),
        TEXT.replace('"', "&#34;"),
        json.dumps(TEXT),
        json.dumps({"t": TEXT}),
        TEXT.replace('"', '""'),
        "-" * 5_000_000 + TEXT,
        "-" * (4 * 1024 * 1024 - 20) + html.escape(TEXT),
    ],
    ids=["plain", "html", "numbered", "json", "object", "csv", "far", "torn"],
)
def test_a_page_is_named_however_it_spells_the_text(spelled, settings, tmp_path):
    page = tmp_path / "reports" / "deep" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<p>{spelled}</p>", encoding="utf-8")
    assert set(left(settings, tmp_path / "reports")) == {str(page)}


@pytest.mark.parametrize("spelled", ["\r\n", "\n"])
def test_it_is_found_whatever_ends_its_lines(spelled, settings, tmp_path):
    page = tmp_path / "page.txt"
    page.write_text(f"Первая строка{spelled}и вторая", encoding="utf-8", newline="")
    assert find_traces(settings, ["Первая строка\r\nи вторая"], [], [page])


def test_a_page_that_is_named_by_a_link_is_looked_into(settings, tmp_path):
    (tmp_path / "page.html").write_text(TEXT, encoding="utf-8")
    link = tmp_path / "link.html"
    link.symlink_to("page.html")
    assert set(left(settings, link)) == {str(link)}


def test_what_cannot_be_read_is_not_taken_for_empty(settings, tmp_path):
    # The beginning of our own memory is nobody's, whoever asks.
    unreadable, broken = Path("/proc/self/mem"), tmp_path / "model" / "known.npy"
    broken.touch()
    told = left(settings, unreadable)
    assert set(told) == {str(unreadable), str(broken)}
    assert all("cannot be read" in what for what in told.values())


@pytest.fixture
def places():
    """A folder that everybody may enter; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def somebody_else():
    own = os.geteuid()
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o744])
def test_a_folder_that_may_not_be_entered_is_named_and_the_others_are_searched(
    settings, places, mode
):
    for name in ("closed", "open"):
        (places / name).mkdir()
        (places / name / "page.html").write_text(TEXT, encoding="utf-8")
    (places / "closed").chmod(mode)
    with somebody_else():
        told = left(settings, places)
    named = places / "closed" if mode == 0o700 else places / "closed" / "page.html"
    assert "cannot be read" in told[str(named)]
    assert told[str(places / "open" / "page.html")].startswith("its text")


def test_a_page_without_it_is_not_named(settings, tmp_path):
    (tmp_path / "page.html").write_text("Анна Петрова", encoding="utf-8")
    assert left(settings, tmp_path / "page.html") == {}


def test_the_registry_and_the_runs_are_searched_unasked(settings, tmp_path):
    page = tmp_path / "registry" / "reports" / "3" / "gate.md"
    page.parent.mkdir(parents=True)
    page.write_text(TEXT, encoding="utf-8")
    assert set(left(settings)) == {str(page)}


@pytest.mark.parametrize("known", [True, False])
def test_a_model_that_keeps_a_hash_of_it_is_named(known, settings, tmp_path):
    text = TEXT if known else "другой"
    marks = np.array([short_fingerprint(normalize(text))], dtype=np.uint64)
    np.save(tmp_path / "model" / "known.npy", marks)
    assert bool(left(settings)) == known


def test_what_cannot_be_looked_into_is_named(settings, tmp_path):
    (tmp_path / "answers.sqlite").write_bytes(b"")
    tracking = {"uri": "http://mlflow.example", "texts": True}
    sent = settings.model_copy(
        update={"tracking": type(settings.tracking).model_validate(tracking)}
    )
    assert set(left(sent)) == {str(tmp_path / "answers.sqlite"), "REVIEWS_TRACKING__URI"}


def test_a_tracking_folder_is_searched(settings, tmp_path):
    page = tmp_path / "mlruns" / "1" / "artifacts" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(TEXT, encoding="utf-8")
    kept = type(settings.tracking).model_validate({"uri": str(tmp_path / "mlruns")})
    assert set(left(settings.model_copy(update={"tracking": kept}))) == {str(page)}


def test_the_examples_of_a_taxonomy_that_was_made_from_labels_are_searched(settings, tmp_path):
    file = write_taxonomy(tmp_path / "bank", 3) / "taxonomy.toml"
    examples = f"examples = [{json.dumps(TEXT, ensure_ascii=False)}]"
    file.write_text(f"{file.read_text(encoding='utf-8')}{examples}\n", encoding="utf-8")
    with using(active_taxonomy()):
        named = Settings.model_validate({**settings.model_dump(), "taxonomy": tmp_path / "bank"})
        assert set(left(named)) == {str(file)}
