"""What a base has learned already is not what its successor is measured on."""

import dataclasses

import numpy as np
import pytest

from training.data.dataset import join, labelled, read_labelled_dataset
from training.data.parts import examples_file, held_out_file
from training.encoders.checkpoints import CheckpointError
from training.encoders.known import FILE, known, write_known
from training.fit.config import TrainConfig
from training.out_of_fold import out_of_fold
from training.split import measured_rows, split_of
from training.train import train_family


def rows_of(*words, count):
    """So many rows, each a text of its own, of two categories in turn."""
    texts = [f"{word} номер {number}" for word in words for number in range(count)]
    return labelled(texts, np.arange(len(texts)) % 2, "person")


@pytest.fixture
def taught(tiny_encoder, quick, tmp_path):
    """A base that has learned 120 texts, and the configuration that names it."""
    old = rows_of("чайник", count=120)
    for file in tiny_encoder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_known(tmp_path, old, str(quick.encoder))
    return old, quick.model_copy(update={"encoder": tmp_path})


def test_texts_that_the_base_has_learned_are_told_however_they_are_written(taught):
    old, config = taught
    loud = dataclasses.replace(old.take([0, 1]), texts=["ЧАЙНИК НОМЕР 0", "чайник номер 777"])
    assert known(loud, str(config.encoder)).tolist() == [True, False]


def test_a_base_of_another_make_is_not_suspected(taught, quick):
    assert not known(taught[0], str(quick.encoder)).any()


def test_only_texts_that_are_new_to_the_base_are_measured_on(taught):
    old, config = taught
    both = join(old, rows_of("сапоги", count=130))
    assert measured_rows(both, config).places.tolist() == list(range(120, 250))


def test_where_too_few_are_new_all_are_measured_on_and_it_is_said_how_many_are_known(taught):
    old, config = taught
    both = join(old, rows_of("сапоги", count=10))
    assert len(measured_rows(both, config).places) == len(both)
    held = out_of_fold("majority", both, split_of(both, config), config, lambda *_: None)
    assert (len(held.rows), held.known) == (130, 120)


def pickled(path):
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        lambda path: np.save(path, np.array([[0.5, np.nan]])),
        pickled,
    ],
    ids=["empty", "half", "of numbers", "pickled"],
)
def test_a_base_whose_fingerprints_are_damaged_is_refused(taught, damage):
    old, config = taught
    damage(config.encoder / FILE)
    with pytest.raises(CheckpointError, match=r"known\.npy.*cannot be read"):
        known(old, str(config.encoder))


def test_a_successor_knows_what_its_base_knew(taught, tmp_path):
    old, config = taught
    new = rows_of("сапоги", count=20)
    config = config.model_copy(update={"epochs": 1})
    manifest = train_family("bert", join(old, new), tmp_path / "next", config)
    assert manifest.metrics["rows_known_to_the_base"] == 120
    assert "known.npy" in manifest.files
    after = config.model_copy(update={"encoder": tmp_path / "next"})
    assert known(join(old, new), str(after.encoder)).all()


def test_the_bundled_base_knows_our_training_examples_and_none_of_the_held_out_ones():
    config = TrainConfig()
    assert known(read_labelled_dataset(examples_file()), str(config.encoder)).all()
    assert not known(read_labelled_dataset(held_out_file()), str(config.encoder)).any()
