"""`reviews produce` stopped and gone on with: every review once, in order, whatever stopped it."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from stream.cli.app import app
from stream.cli.unfinished import Unfinished
from stream.errors import InputError

HERE = "127.0.0.1:9092"
ROWS = "id,text\n" + "".join(f"{n},сапоги жмут {n}\n" for n in range(10))


class Broker:
    """Takes reviews; Ctrl-C comes while it takes the one that is named."""

    taken: ClassVar[list[str]] = []
    ctrl_c_at: ClassVar[str | None] = None
    before_ctrl_c: ClassVar[Callable[[], None]] = lambda: None
    frozen: ClassVar[bool] = False

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
                Broker.before_ctrl_c()
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.01)  # the loop hears of it
                if Broker.frozen:
                    await asyncio.Event().wait()
        return delivered


@pytest.fixture
def produce(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stream.clients.ReviewProducer", Broker)
    monkeypatch.setattr(Broker, "taken", [])
    (tmp_path / "reviews.csv").write_text(ROWS, encoding="utf-8")

    def run(*arguments, ctrl_c_at=None, before_ctrl_c=lambda: None):
        Broker.ctrl_c_at = ctrl_c_at
        Broker.before_ctrl_c = before_ctrl_c
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


def test_ctrl_c_does_not_wait_for_a_broker_that_is_frozen_and_says_what_is_unknown(
    produce, monkeypatch
):
    monkeypatch.setattr(Broker, "frozen", True)
    monkeypatch.setattr("stream.cli.produce._PATIENCE", 0.05)
    stopped = produce(ctrl_c_at="3")
    assert stopped.exit_code == 130
    said = " ".join(stopped.stderr.split())
    assert "first 4 reviews" in said
    assert "may be there, too" in said
    monkeypatch.setattr(Broker, "frozen", False)
    assert json.loads(produce("--resume", "--json").stdout)["sent"] == 6


def test_without_resume_it_says_what_is_sent_twice(produce):
    produce(ctrl_c_at="3")
    assert "an earlier run has sent 4" in " ".join(produce().stderr.split())
    assert len(Broker.taken) == 14


def test_a_limit_counts_what_this_run_sends_and_the_rest_is_gone_on_with(produce):
    produce(ctrl_c_at="3")
    for sent in (2, 2, 2, 0):
        ran = produce("--resume", "--limit", "2", "--json")
        assert (ran.exit_code, json.loads(ran.stdout)["sent"]) == (0, sent)
    assert Broker.taken == [str(n) for n in range(10)]
    assert "no stopped run" in produce("--resume").exception.message


def test_a_file_that_has_changed_is_not_gone_on_with(tmp_path):
    file = tmp_path / "reviews.csv"
    file.write_text(ROWS, encoding="utf-8")
    unfinished = Unfinished(file, "t", HERE, tmp_path / "state")
    assert unfinished.note(4, at_once=True)
    assert Unfinished(file, "t", HERE, tmp_path / "state").delivered() == 4
    assert Unfinished(file, "another", HERE, tmp_path / "state").delivered() == 0
    assert Unfinished(file, "t", HERE, tmp_path / "state", sheet="2026").delivered() == 0
    file.write_text(ROWS + "10,ещё одни\n", encoding="utf-8")
    with pytest.raises(InputError, match="has changed"):
        Unfinished(file, "t", HERE, tmp_path / "state").delivered()


def test_what_one_cluster_has_another_one_has_not(tmp_path):
    file = tmp_path / "reviews.csv"
    file.write_text(ROWS, encoding="utf-8")
    assert Unfinished(file, "t", "test:9092", tmp_path / "state").note(4, at_once=True)
    assert Unfinished(file, "t", HERE, tmp_path / "state").delivered() == 0


def test_a_file_that_is_replaced_while_it_is_sent_is_not_gone_on_with(produce, tmp_path):
    file = tmp_path / "reviews.csv"
    others = ROWS.replace("сапоги", "ботинки")

    def replace():
        (tmp_path / "new.csv").write_text(others, encoding="utf-8")
        (tmp_path / "new.csv").replace(file)

    stopped = produce(ctrl_c_at="3", before_ctrl_c=replace)
    assert "first 4 reviews" in " ".join(stopped.stderr.split())
    resumed = produce("--resume")
    assert isinstance(resumed.exception, InputError)
    assert "has changed" in resumed.exception.message


def test_a_file_that_is_deleted_while_it_is_sent_is_sent_to_its_end(produce, tmp_path):
    stopped = produce(ctrl_c_at="3", before_ctrl_c=(tmp_path / "reviews.csv").unlink)
    assert stopped.exit_code == 130
    assert "first 4 reviews" in " ".join(stopped.stderr.split())


def test_a_folder_that_cannot_be_written_to_stops_nothing(produce, tmp_path):
    (tmp_path / ".reviews").write_text("a file", encoding="utf-8")
    assert produce().exit_code == 0
    assert len(Broker.taken) == 10
    stopped = produce(ctrl_c_at="3")
    assert stopped.exit_code == 130
    assert "the same input again sends everything" in " ".join(stopped.stderr.split())
