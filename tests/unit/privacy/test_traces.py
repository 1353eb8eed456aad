"""What still tells of an erased review is found, in whatever way a file spells its text."""

import html
import json

import numpy as np
import pytest

from stream.privacy.traces import find_traces
from stream.settings import Settings
from stream.text import fingerprint, normalize

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
    ],
)
def test_a_page_is_named_however_it_spells_the_text(spelled, settings, tmp_path):
    page = tmp_path / "reports" / "deep" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<p>{spelled}</p>", encoding="utf-8")
    assert set(left(settings, tmp_path / "reports")) == {str(page)}


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
    marks = np.array([int(fingerprint(normalize(text))[:16], 16)], dtype=np.uint64)
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
