"""Somebody else's categories: many of them, in English, with few rows each."""

import numpy as np
import pytest
import torch

from schemas import load_taxonomy, using
from stream.model.classifier import Classifier
from tests.support.taxonomies import bank
from training.comparison.compare import Candidate, compare_out_of_fold
from training.comparison.report import write_report
from training.data.dataset import labelled, read_labelled_dataset
from training.encoders.encoder import Shape, new_encoder
from training.encoders.vocabulary import learn_tokenizer, spelled_share
from training.export.folder import self_test_texts
from training.fit.config import TrainConfig
from training.fit.noise import disturb
from training.pretraining.blank import blank_encoder
from training.pretraining.e5 import tokenizer_of
from training.train import train_family

CATEGORIES = 77
OPENINGS = ("where is my", "how do i get a", "please tell me about", "what happened to the")


@pytest.fixture
def taxonomy(tmp_path):
    with using(bank(tmp_path / "bank", CATEGORIES)) as active:
        yield active


@pytest.fixture
def questions(taxonomy):
    texts = [f"{opening} thing{i}" for i in range(CATEGORIES) for opening in OPENINGS]
    return labelled(texts, np.repeat(np.arange(CATEGORIES), len(OPENINGS)), "person")


@pytest.fixture
def quick(questions, tmp_path):
    torch.manual_seed(0)
    new_encoder(learn_tokenizer(questions.normalized), Shape(1, 16, 2, 32, 32)).save(
        tmp_path / "encoder"
    )
    return TrainConfig(
        encoder=tmp_path / "encoder", epochs=2, folds=2, hidden=8, threads=1, device="cpu"
    )


def test_a_model_of_many_categories_is_trained_and_served(questions, quick, tmp_path):
    manifest = train_family("lstm", questions, tmp_path / "model", quick)
    served = Classifier.load(tmp_path / "model", device="cpu")
    said = served.classify(questions.normalized)
    assert said.probabilities.shape == (len(questions), CATEGORIES)
    assert len(manifest.thresholds) == CATEGORIES
    # Stored answers of some categories suffice, and they are texts that the model can read.
    assert 10 <= len(manifest.self_test) <= 20
    assert all(case.text.startswith("questions of kind") for case in manifest.self_test)


def test_its_card_speaks_of_its_taxonomy(questions, quick, tmp_path):
    train_family("lstm", questions, tmp_path / "model", quick)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage: en\n")
    assert "English" in card
    assert "Russian" not in card


def test_categories_are_read_by_their_names_as_well(taxonomy, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("text,category\na,intent_3\nb,Intent 4\nc,INTENT-5\nd,Намерение 6\n")
    assert read_labelled_dataset(file).categories.tolist() == [3, 4, 5, 6]


def test_a_base_for_english_texts_knows_no_russian_words(questions):
    encoder = blank_encoder(questions.normalized, Shape(1, 16, 2, 32, 32), 0)
    pieces = encoder.tokenizer.get_vocab()
    assert "where" in pieces
    assert not [piece for piece in pieces if set("абвгдежзиклмно") & set(piece)]


def test_english_is_mistyped_as_russian_is():
    text = "please tell me where the card is that was ordered a week ago"
    rng = np.random.default_rng(0)
    made = {disturb(text, rng) for _ in range(40)}
    words = {word for one in made for word in one.split()}
    assert words - set(text.split()), "no word was ever mistyped"


@pytest.mark.slow
def test_a_comparison_of_many_categories_is_drawn(questions, quick, tmp_path):
    candidates = [Candidate("ngrams", "ngrams", quick)]
    runs, rows = compare_out_of_fold(candidates, questions, [0], tmp_path / "work")
    write_report(tmp_path / "report", candidates, runs, questions, {"out of fold": rows})
    assert "intent_76" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


RUSSIAN = "чайник кипятит быстро, платье село по фигуре, наушники хрипят через неделю"
ENGLISH = "please tell me where the payment is that was ordered yesterday"


@pytest.mark.parametrize("texts", [RUSSIAN, ENGLISH])
def test_a_base_that_was_made_for_another_language_is_known_by_its_vocabulary(texts):
    """Also where it has all letters of both, and so could spell every word."""
    own = learn_tokenizer([texts] * 3, (), set(RUSSIAN + ENGLISH))
    foreign = RUSSIAN if texts == ENGLISH else ENGLISH
    assert spelled_share(own, [texts]) == 0
    assert spelled_share(own, [foreign]) > 0.9


def test_a_vocabulary_whose_pieces_hold_the_space_before_them_is_read_as_well():
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *(f"\u2581{word}" for word in ENGLISH.split())]
    letters = sorted(set(ENGLISH + RUSSIAN))
    scores = np.full(len(pieces) + len(letters), -1.0, np.float32)
    tokenizer = tokenizer_of([*pieces, *letters], scores)
    assert spelled_share(tokenizer, [ENGLISH]) == 0
    assert spelled_share(tokenizer, [RUSSIAN]) > 0.9


def test_a_taxonomys_examples_which_may_be_customers_texts_are_in_no_folder(tmp_path):
    lines = ['name = "bank"', 'languages = ["en"]']
    for slug in ("card", "cash"):
        lines += ["[[category]]", f'slug = "{slug}"', 'examples = ["my name is Ann Smith"]']
    (tmp_path / "taxonomy.toml").write_text("\n".join(lines), encoding="utf-8")
    with using(load_taxonomy(tmp_path)):
        assert self_test_texts() == ["card", "cash"]
