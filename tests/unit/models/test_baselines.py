"""Baselines: what a learned family must beat."""

import numpy as np
import pytest

from training.data.dataset import labelled
from training.models.family import UnknownFamily
from training.train import fit_family, train_family

WORDS = ("чайник", "сапоги", "платье", "кастрюля", "простыня", "игрушка", "серьги", "наушники")


def _reviews():
    texts = [f"{word} {end}" for word in WORDS for end in ("хорошо", "плохо", "нормально") * 4]
    return labelled(texts, np.repeat(np.arange(8), 12), "written")


def test_ngrams_learn_which_word_names_which_category():
    model = fit_family("ngrams", _reviews())
    assert model.logits([f"какой {word}" for word in WORDS]).argmax(axis=1).tolist() == [*range(8)]


def test_a_category_without_examples_is_never_the_answer_of_ngrams():
    assert fit_family("ngrams", _reviews()).logits(["доставка"]).argmax() != 8


def test_the_majority_is_always_the_same_answer():
    data = labelled(["а", "б", "в"], [2, 2, 8], "written")
    assert fit_family("majority", data).logits(["чайник", "в"]).argmax(axis=1).tolist() == [2, 2]


def test_a_baseline_refuses_to_be_exported(tmp_path):
    with pytest.raises(UnknownFamily, match="cannot serve"):
        train_family("ngrams", _reviews(), tmp_path / "model")


def test_an_unknown_family_is_answered_with_those_there_are():
    with pytest.raises(UnknownFamily) as caught:
        fit_family("xgboost", _reviews())
    assert "bert" in caught.value.remedy
