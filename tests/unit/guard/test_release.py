"""`reviews guard release`, where what a person says is no text that a decision keeps."""

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from schemas import GuardDecision, all_categories
from stream.cli.app import app
from stream.errors import InputError


@pytest.fixture
def release(monkeypatch):
    """Run the command over one category that is held; nothing may be written."""
    category = all_categories()[0]
    held = GuardDecision(
        category=category, model_version="1", number=1, action="held", decided_by="the monitor"
    )

    async def read_holds(settings):
        return SimpleNamespace(of=lambda wanted: [held])

    async def publish(settings, decisions):
        pytest.fail("it was published")

    monkeypatch.setattr("stream.guard.topic.read_holds", read_holds)
    monkeypatch.setattr("stream.guard.topic.publish", publish)
    return lambda *said: CliRunner().invoke(app, ["guard", "release", category.slug, *said])


@pytest.mark.parametrize(
    "said", [("--note", "ж" * 1001), ("--note", "\udcff"), ("--by", "\udcff")], ids=ascii
)
def test_what_cannot_be_kept_with_a_release_is_refused_before_anything_is_written(release, said):
    done = release(*said)
    assert isinstance(done.exception, InputError)
    assert "nothing is released" in done.exception.message
