"""A sealed record is believed in its own place, and nowhere else."""

import pytest

from schemas import TopicNames
from stream.queue.record_seal import SEAL_LETTERS, Forged, RecordSeal
from stream.queue.redis_scripts import _FOLDER

SECRET = "a secret of the tests' queue"
SEAL = RecordSeal(SECRET, TopicNames("shop"))
RECORD = '{"id":"r1","who":"ann"}'
KEPT = SEAL.close("label", "r1", RECORD)


def test_a_record_comes_back_as_it_was():
    assert SEAL.open("label", "r1", KEPT) == RECORD


@pytest.mark.parametrize("text", ["Сапоги", "", "\x00\n", "\ud800 alone", "a" * 100_000])
def test_any_text_can_be_sealed(text):
    assert SEAL.open("task", "r1", SEAL.close("task", "r1", text)) == text


@pytest.mark.parametrize(
    ("kind", "owner", "kept"),
    [
        ("task", "r1", KEPT),
        ("label", "r2", KEPT),
        ("label", "r1", KEPT.replace("ann", "bob")),
        ("label", "r1", RECORD),
        ("label", "r1", KEPT[SEAL_LETTERS:]),
        ("label", "r1", "0" * SEAL_LETTERS + RECORD),
        ("label", "r1", "ж" * SEAL_LETTERS + RECORD),
        ("label", "r1", KEPT[:SEAL_LETTERS]),
        ("label", "r1", ""),
        ("label", "r1", None),
    ],
)
def test_another_place_or_another_text_is_forged(kind, owner, kept):
    with pytest.raises(Forged):
        SEAL.open(kind, owner, kept)


@pytest.mark.parametrize(
    "other", [RecordSeal("another secret", TopicNames("shop")), RecordSeal(SECRET, TopicNames("b"))]
)
def test_another_secret_or_another_queue_is_forged(other):
    with pytest.raises(Forged):
        SEAL.open("label", "r1", other.close("label", "r1", RECORD))


def test_an_owner_cannot_pass_for_a_piece_of_a_record():
    kept = SEAL.close("undo", "ann", "x")
    with pytest.raises(Forged):
        SEAL.open("undo", "an", f"{kept[:SEAL_LETTERS]}nx")


def test_the_scripts_know_how_long_a_seal_is():
    assert f"local SEAL = {SEAL_LETTERS}\n" in (_FOLDER / "common.lua").read_text("utf-8")
