"""What the monitor makes of announced models: it reads no stranger's folder, and tells refusals."""

import os
from datetime import UTC, datetime

import pytest

from schemas import BatchSummary
from stream.model.signing import TrustedKeys, new_key
from stream.monitor.announcements import Announcements
from stream.monitor.bucket import Bucket
from stream.monitor.references import References
from tests.support import hostile_models
from tests.support.hostile_models import announcement_of
from tests.support.tiny_model import write_tiny_model

AT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def references():
    return References(lambda _: Bucket(), 100)


def told_by(worker, refused):
    return BatchSummary(
        worker=worker,
        model_version="m1",
        refused_model=refused,
        source_topic="incoming",
        source_partition=0,
        first_offset=0,
        last_offset=0,
        reviews=1,
        published=1,
        relabelled=0,
        dead=0,
        cache_hits=0,
        first_event_at=AT,
        last_event_at=AT,
    )


def test_an_announcement_that_nobody_signed_is_shown_as_refused(tmp_path, references):
    write_tiny_model(tmp_path / "one")
    key = new_key()
    announcements = Announcements(references, tmp_path, TrustedKeys([key.public]))
    message = announcement_of(tmp_path / "one")
    announcements.apply(message)
    announcements.apply(key.sign(message))
    forged, genuine = announcements.all
    assert "not signed" in announcements.refusal(forged)
    assert announcements.refusal(genuine) is None


def test_workers_say_what_they_refused_until_they_serve_it(tmp_path, references):
    write_tiny_model(tmp_path / "one")
    announcements = Announcements(references, tmp_path, TrustedKeys([]))
    announcements.apply(announcement_of(tmp_path / "one"))
    (announced,) = announcements.all
    version = announced.announcement.version
    for worker in ("w2", "w1"):
        announcements.told(told_by(worker, version))
    assert announcements.refusal(announced) == "refused by w1, w2"
    announcements.told(told_by("w1", "another"))
    announcements.told(told_by("w2", None))
    assert announcements.refusal(announced) is None


@pytest.mark.parametrize(
    "make", [hostile_models.deep_manifest, hostile_models.huge_manifest, hostile_models.pipe]
)
def test_a_hostile_folder_ends_no_monitor(tmp_path, references, make):
    make(tmp_path / "registry" / "one")
    announcements = Announcements(references, tmp_path / "registry", TrustedKeys([]))
    announcements.apply(announcement_of(tmp_path / "registry" / "one"))
    assert len(announcements.all) == 1


def test_a_pipe_in_the_manifests_place_is_not_waited_for(tmp_path, references):
    folder = tmp_path / "registry" / "one"
    write_tiny_model(folder)
    message = announcement_of(folder)
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    Announcements(references, tmp_path / "registry", TrustedKeys([])).apply(message)


def test_a_folder_outside_of_the_registry_is_not_read(tmp_path, references):
    write_tiny_model(tmp_path / "outside")
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "link").symlink_to(tmp_path / "outside")
    taken = []
    references.take = taken.append
    announcements = Announcements(references, tmp_path / "registry", TrustedKeys([]))
    announcements.apply(announcement_of(tmp_path / "outside"))
    announcements.apply(
        announcement_of(tmp_path / "outside", location=str(tmp_path / "registry" / "link"))
    )
    assert not taken
