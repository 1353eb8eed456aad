"""A regression on a frozen encoder: right about what it learned, and cheap to fit again."""

import numpy as np
import pytest

from training.models.family import UnknownFamily
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


def test_it_is_not_served(reviews, quick, tmp_path):
    with pytest.raises(UnknownFamily, match="cannot serve"):
        train_family("embeddings", reviews, tmp_path / "model", quick)
