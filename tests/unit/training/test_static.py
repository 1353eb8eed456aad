"""The family without states: what it knows of letters and pairs, and what of that is served."""

import numpy as np
import pytest
import torch

from training.data.dataset import labelled
from training.fit.loop import NeuralModel
from training.models.static import build_static
from training.pretraining.encoder import Shape, load_encoder, new_encoder
from training.pretraining.vocabulary import learn_tokenizer
from training.train import fit_family


@pytest.fixture
def learned(reviews, by_heart):
    return fit_family("static", reviews, by_heart.model_copy(update={"hidden": 32}))


def test_categories_are_told_apart(reviews, learned):
    right = learned.logits(reviews.normalized).argmax(axis=1) == reviews.categories
    assert right.mean() > 0.95


def test_what_is_served_has_no_letters_and_says_the_same(reviews, learned):
    module = learned.module.served()
    served = NeuralModel(module.eval(), learned.encoder, learned.max_length)
    np.testing.assert_allclose(
        served.logits(reviews.normalized), learned.logits(reviews.normalized), atol=1e-4
    )
    assert not [name for name, _ in module.named_parameters() if "letters" in name]
    assert served.parameters < learned.parameters
    # The trained module is left as it was: it can be trained on, and exported again.
    assert [name for name, _ in learned.module.named_parameters() if "letters" in name]


def test_a_text_says_the_same_alone_and_beside_longer_ones(learned):
    alone = learned.logits(["чайник", ""])
    among = learned.logits(["чайник", "", "наушники не понравилось совсем " * 3])
    np.testing.assert_allclose(among[:2], alone, atol=1e-5)


def test_the_order_of_words_tells_categories_apart(by_heart, tmp_path):
    """The same words, so that only the pairs can."""
    places = ["london", "paris", "rome", "oslo", "bonn"]
    texts = [f"from {a} to {b} now" for a in places for b in places if a != b]
    ids = [int(a > b) for a in places for b in places if a != b]
    rows = labelled(texts, ids, "person")
    torch.manual_seed(0)
    new_encoder(learn_tokenizer(texts, places), Shape(1, 16, 2, 32, 32)).save(tmp_path / "base")
    config = by_heart.model_copy(update={"encoder": tmp_path / "base", "epochs": 30, "hidden": 32})
    model = fit_family("static", rows, config)
    assert (model.logits(rows.normalized).argmax(axis=1) == rows.categories).mean() > 0.95


def test_a_spelling_that_was_never_seen_starts_near_its_kin(tiny_encoder, by_heart):
    """Pieces share the vectors of their letters: those of one word's forms are alike from the first."""
    encoder = load_encoder(tiny_encoder)
    torch.manual_seed(0)
    module = build_static(encoder, by_heart.model_copy(update={"hidden": 64})).served()
    table = module.tables["pieces"].weight.detach()
    vocabulary = encoder.tokenizer.get_vocab()

    def likeness(one, other):
        first, second = table[vocabulary[one]], table[vocabulary[other]]
        return float(torch.cosine_similarity(first, second, dim=0))

    kin = [(a, b) for a in vocabulary for b in vocabulary if a != b and len(a) > 4 and b == a[:-1]]
    assert kin, "the vocabulary of the fixture has no stems"
    strangers = likeness("платье", "чайник")
    assert np.mean([likeness(*pair) for pair in kin]) > strangers + 0.2
