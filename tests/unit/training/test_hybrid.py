"""A frozen encoder and a table of its pieces, in one model."""

import numpy as np

from stream.model.classifier import Classifier
from training.encoders.encoder import Encoder
from training.models.static import begins_of, silent_pieces, spelled
from training.pretraining.e5 import tokenizer_of
from training.train import fit_family, train_family

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "\u2581card", "s", "\u2581query", ":")


def sentencepieces():
    tokenizer = tokenizer_of(PIECES, np.linspace(0, -1, len(PIECES), dtype=np.float32), "query: ")
    return Encoder(None, tokenizer)


def test_categories_are_told_apart(reviews, quick):
    model = fit_family("hybrid", reviews, quick)
    right = model.logits(reviews.normalized).argmax(axis=1) == reviews.categories
    assert right.mean() > 0.95


def test_it_says_the_same_when_it_is_served_as_one_graph(reviews, quick, tmp_path):
    model = fit_family("hybrid", reviews, quick)
    of_parts = model.logits(reviews.normalized)
    whole = model.logits_of(model.encoder.tokenize(reviews.normalized, model.max_length))
    np.testing.assert_allclose(of_parts, whole, atol=1e-3)
    train_family("hybrid", reviews, tmp_path / "model", quick)
    served = Classifier.load(tmp_path / "model", device="cpu").classify(reviews.normalized)
    assert (served.probabilities.argmax(axis=1) == of_parts.argmax(axis=1)).all()


def test_it_reads_no_more_of_a_text_than_its_base_can(reviews, quick):
    model = fit_family("hybrid", reviews, quick.model_copy(update={"max_length": 64}))
    longest = model.encoder.positions
    long = ["чайник " * (longest + 5) + "сапоги платье игрушка серьги"]
    (ids,) = model.encoder.tokenize(long, 64)
    assert len(ids) > longest
    whole = model.logits_of(model.encoder.tokenize(long, model.max_length))
    np.testing.assert_allclose(model.logits(long), whole, atol=1e-3)


def test_a_pieces_letters_are_read_however_a_vocabulary_marks_the_beginning_of_a_word():
    assert spelled(sentencepieces().tokenizer)[4:7] == ["", "card", "##s"]
    begins = begins_of(sentencepieces().tokenizer)
    assert begins[5] != begins[6]


def test_what_stands_before_every_text_says_nothing():
    encoder = sentencepieces()
    (ids,) = encoder.tokenize(["cards"], 16)
    told = [PIECES[piece] for piece in ids if piece not in silent_pieces(encoder)]
    assert told == ["\u2581card", "s"]
