"""Ctrl-C says what there is of a command's work, and what to do next."""

import pytest
import typer
from typer.testing import CliRunner

from stream.cli import INTERRUPTED
from stream.cli.app import app
from stream.cli.interruption import told_if_interrupted
from training.cli.compare import compare

ROWS = "text,category\nнаушники тихие,electronics\n"


def interrupted(*_args, **_options):
    raise KeyboardInterrupt


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")

    def run(interrupts, command, *arguments):
        monkeypatch.setattr(interrupts, interrupted)
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == INTERRUPTED
        return " ".join(result.stderr.split())

    return run


def test_taxonomy_init_has_written_nothing(stopped, tmp_path):
    said = stopped(
        "stream.taxonomies.proposal.propose", app, "taxonomy", "init", "rows.csv", "-o", "shop"
    )
    assert "nothing was written to shop" in said
    assert "run it again" in said
    assert not (tmp_path / "shop").exists()


def test_classify_has_written_nothing_until_all_is_classified(stopped, tmp_path):
    said = stopped("stream.cli.classify._load", app, "classify", "rows.csv", "-o", "out.csv")
    assert "0 reviews were classified, and nothing was written to out.csv" in said
    assert "run it again" in said
    assert not (tmp_path / "out.csv").exists()


def test_classify_has_written_what_went_into_a_pipe(stopped):
    said = stopped("stream.cli.classify._load", app, "classify", "rows.csv", "-o", "-")
    assert "0 reviews were classified and written" in said


@pytest.mark.parametrize(
    ("interrupts", "words"),
    [
        ("training.cli.compare.read_labels", "nothing was trained yet"),
        ("training.cli.compare._compared", "finished runs and epochs are in build/comparison"),
    ],
)
def test_compare_says_whether_anything_was_trained(stopped, monkeypatch, interrupts, words):
    monkeypatch.setattr("training.cli.compare._with_enough", lambda candidates, _rows: candidates)
    command = typer.Typer()
    command.command()(compare)
    said = stopped(interrupts, command, "rows.csv", "--test", "rows.csv")
    assert words in said
    assert "the same command" in said


def test_replay_says_how_many_letters_are_back(stopped):
    said = stopped("stream.operations.replay.DeadLetterReplay.run", app, "replay", "--dead-letter")
    assert "at least 0 dead letters were sent back to reviews.incoming" in said
    assert "sends none twice" in said


def test_erase_says_how_many_reviews_are_erased(stopped):
    said = stopped("stream.operations.erasure.Eraser.run", app, "erase", "1", "2")
    assert "0 of 2 reviews were erased; run the same command again" in said


@pytest.mark.parametrize("how", [[], ["--dry-run"]])
def test_backfill_says_where_to_go_on(stopped, monkeypatch, how):
    monkeypatch.setattr("stream.model.classifier.Classifier.load", lambda *_: None)
    step = "plan" if how else "run"
    command = ("backfill", "--from", "2026-01-01", "--to-topic-suffix", "new", *how)
    said = stopped(f"stream.operations.backfill.Backfill.{step}", app, *command)
    assert ("nothing was changed" if how else "topics with .new; the same command goes on") in said


def test_what_is_not_interrupted_says_nothing(capsys):
    with told_if_interrupted(lambda: "never"):
        pass
    assert capsys.readouterr().err == ""
