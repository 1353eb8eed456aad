"""A regression on a frozen encoder: right about what it learned, and cheap to fit again."""

import shutil

import numpy as np
import pytest
import torch

from stream.model.classifier import Classifier
from training.encoders.encoder import Shape, load_encoder, new_encoder
from training.errors import TrainingError
from training.models.embeddings import Embeddings, embeddings_of
from training.train import fit_family, train_family


def test_categories_are_told_apart(reviews, quick):
    model = fit_family("embeddings", reviews, quick)
    right = model.logits(reviews.normalized).argmax(axis=1) == reviews.categories
    assert right.mean() > 0.9


def test_the_encoder_reads_each_text_once(reviews, quick):
    fit_family("embeddings", reviews, quick)
    told = []
    again = fit_family("embeddings", reviews, quick, lambda *stage: told.append(stage))
    again.logits(reviews.normalized[:3])
    assert {stage for stage, _, _ in told} == {"regression"}


def test_a_text_has_the_vector_of_its_own_whatever_it_is_read_beside(reviews, quick):
    model = fit_family("embeddings", reviews, quick)
    alone = model.logits(["чайник"])
    among = model.logits(["наушники не понравилось совсем", "чайник", "чайник супер"])
    np.testing.assert_allclose(among[1:2], alone, atol=1e-4)


def test_no_more_vectors_are_kept_than_wanted_and_the_others_are_read_again(tiny_encoder):
    encoder = load_encoder(tiny_encoder)
    few, all_of_them = (Embeddings(encoder, 16, torch.device("cpu"), most) for most in (2, 99))
    told = []
    for texts in (["чайник", "сапоги", "платье"], ["чайник", "платье"]):
        found = few.of(texts, lambda _, read, new: told.append((read, new)))
        np.testing.assert_allclose(found, all_of_them.of(texts), atol=1e-5)
    assert told == [(3, 3), (1, 1)]


def test_another_checkpoint_under_the_same_name_is_read_anew(tiny_encoder, quick, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_encoder, base)
    config = quick.model_copy(update={"encoder": base})
    before = embeddings_of(config).of(["чайник"])
    torch.manual_seed(1)
    other = load_encoder(base)
    new_encoder(other.tokenizer, Shape(2, 32, 2, 64, 32)).save(base)
    assert not np.allclose(embeddings_of(config).of(["чайник"]), before)


def test_a_gpu_that_there_is_not_is_refused_as_by_any_family(reviews, quick):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(TrainingError, match="no GPU"):
        fit_family("embeddings", reviews, quick.model_copy(update={"device": "cuda"}))


def test_what_is_served_says_what_the_regression_says(reviews, quick, tmp_path):
    """Of the wheel's encoder, or of any: the vectors that are kept and the exported graph agree."""
    train_family("embeddings", reviews, tmp_path / "model", quick)
    served = Classifier.load(tmp_path / "model", device="cpu")
    said = fit_family("embeddings", reviews, quick).logits(reviews.normalized)
    logits = served.infer(reviews.normalized).logits
    assert (logits.argmax(axis=1) == said.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("present", [[0, 1], [2, 5, 8]])
def test_a_category_without_rows_is_impossible(reviews, quick, present):
    some = reviews.take(np.isin(reviews.categories, present))
    model = fit_family("embeddings", some, quick)
    assert set(model.logits(reviews.normalized).argmax(axis=1)) <= set(present)
    right = model.logits(some.normalized).argmax(axis=1) == some.categories
    assert right.mean() > 0.9
