"""`reviews produce` stopped and gone on with: every review once, in order, whatever stopped it."""

import asyncio
import json
import os
import signal
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from stream.cli.app import app
from stream.cli.unfinished import Unfinished
from stream.errors import InputError

ROWS = "id,text\n" + "".join(f"{n},сапоги жмут {n}\n" for n in range(10))


class Broker:
    """Takes reviews; Ctrl-C comes while it takes the one that is named."""

    taken: ClassVar[list[str]] = []
    ctrl_c_at: ClassVar[str | None] = None

    def __init__(self, *_):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def send_many(self, reviews, on_delivered):
        delivered = 0
        for review in reviews:
            self.taken.append(review.review_id)
            delivered += 1
            on_delivered(delivered)
            if review.review_id == Broker.ctrl_c_at:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.01)  # the loop hears of it
        return delivered


@pytest.fixture
def produce(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stream.clients.ReviewProducer", Broker)
    monkeypatch.setattr(Broker, "taken", [])
    (tmp_path / "reviews.csv").write_text(ROWS, encoding="utf-8")

    def run(*arguments, ctrl_c_at=None):
        Broker.ctrl_c_at = ctrl_c_at
        return CliRunner().invoke(app, ["produce", "reviews.csv", *arguments])

    return run


def test_ctrl_c_says_how_many_are_there_and_resume_sends_the_rest(produce):
    stopped = produce(ctrl_c_at="3")
    assert stopped.exit_code == 130
    assert "first 4 reviews" in " ".join(stopped.stderr.split())
    assert "--resume" in stopped.stderr
    resumed = produce("--resume", "--json")
    assert json.loads(resumed.stdout)["sent"] == 6
    assert Broker.taken == [str(n) for n in range(10)]
    again = produce("--resume")
    assert isinstance(again.exception, InputError)
    assert "no stopped run" in again.exception.message


def test_without_resume_it_says_what_is_sent_twice(produce):
    produce(ctrl_c_at="3")
    assert "a stopped run has sent 4" in " ".join(produce().stderr.split())
    assert len(Broker.taken) == 14


def test_a_file_that_has_changed_is_not_gone_on_with(tmp_path):
    file = tmp_path / "reviews.csv"
    file.write_text(ROWS, encoding="utf-8")
    unfinished = Unfinished(file, "t", tmp_path / "state")
    assert unfinished.note(4, at_once=True)
    assert Unfinished(file, "t", tmp_path / "state").delivered() == 4
    assert Unfinished(file, "another", tmp_path / "state").delivered() == 0
    file.write_text(ROWS + "10,ещё одни\n", encoding="utf-8")
    with pytest.raises(InputError, match="has changed"):
        unfinished.delivered()
