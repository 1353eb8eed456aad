"""A model learns from what an ensemble thinks of texts that nobody labelled."""

import numpy as np
import pytest
import torch

import training.fit.loop
from training.comparison.compare import Candidate, compare
from training.data.dataset import join, labelled
from training.data.origins import Origin
from training.distillation import with_teachers
from training.encoders.checkpoints import CheckpointError, layers_told
from training.encoders.encoder import Shape, load_encoder, new_encoder
from training.errors import DataError, LabellerUnavailable
from training.fit.config import Distillation, FineTuning, Imbalance, TrainConfig, Tricks
from training.measures.calibration import softmax
from training.models.family import UnknownFamily
from training.models.variants import variants
from training.out_of_fold import out_of_fold
from training.split import split_of
from training.train import check_options, check_teachers, fit_family

pytestmark = pytest.mark.slow


@pytest.fixture
def unlabelled(tmp_path):
    path = tmp_path / "unlabelled.csv"
    path.write_text("text\nчайник супер\nновый чайник\nновые сапоги\nНовый чайник\n", "utf-8")
    return path


def _taught(config, path, *teachers):
    return config.model_copy(update={"distillation": Distillation(teachers=teachers, texts=path)})


def _silent(*_):
    pass


def test_new_texts_get_the_mean_of_what_the_teachers_say(reviews, quick, unlabelled):
    rows = with_teachers(reviews, _taught(quick, unlabelled, "lstm", "ngrams"), _silent)
    added = rows.take(np.array(rows.origin) == Origin.DISTILLED)
    # One of the texts is labelled already, and one is written twice.
    assert added.normalized == ["новый чайник", "новые сапоги"]
    teachers = [
        fit_family(name, reviews, quick.model_copy(update={"seed": seed}))
        for name, seed in (("lstm", 1000), ("ngrams", 2000))
    ]
    mean = np.mean([softmax(teacher.logits(added.normalized)) for teacher in teachers], axis=0)
    np.testing.assert_allclose(added.probabilities, mean, atol=1e-6)


def test_what_a_person_labelled_is_left_as_it_is(reviews, quick, unlabelled):
    rows = with_teachers(reviews, _taught(quick, unlabelled, "majority"), _silent)
    np.testing.assert_array_equal(rows.probabilities[: len(reviews)], reviews.probabilities)


def test_a_pupil_knows_what_only_its_texts_and_teachers_know(reviews, by_heart, tmp_path):
    """A word that stands in no labelled review is learned from the company that it keeps."""
    path = tmp_path / "unlabelled.csv"
    path.write_text("text\n" + "".join(f"чайник зюзя {n}\n" for n in range(40)), "utf-8")
    alone = fit_family("bert", reviews, by_heart)
    pupil = fit_family("bert", reviews, _taught(by_heart, path, "bert"))

    def says(model):
        return softmax(model.logits(["зюзя"]))[0, 0]

    assert says(pupil) > says(alone)


def test_an_interrupted_distillation_ends_as_the_uninterrupted(
    reviews, quick, unlabelled, tmp_path
):
    config = _taught(quick.model_copy(update={"epochs": 2}), unlabelled, "lstm")
    whole = fit_family("lstm", reviews, config).logits(["чайник"])

    class Interrupted(Exception):
        pass

    def stop(stage, *_):
        if not stage.startswith("teacher") and "epoch 2" in stage:
            raise Interrupted

    kept = config.model_copy(update={"checkpoints": tmp_path / "kept"})
    with pytest.raises(Interrupted):
        fit_family("lstm", reviews, kept, stop)
    np.testing.assert_allclose(fit_family("lstm", reviews, kept).logits(["чайник"]), whole, 1e-4)


def test_a_text_that_is_measured_on_is_not_learned_from(reviews, quick, unlabelled):
    config = _taught(quick, unlabelled, "majority").measured_on(["новый чайник"])
    rows = with_teachers(reviews, config, _silent)
    assert rows.take(np.array(rows.origin) == Origin.DISTILLED).normalized == ["новые сапоги"]


def test_out_of_fold_and_on_a_test_set_no_held_text_is_learned_from(
    reviews, quick, tmp_path, monkeypatch
):
    """The unlabelled file holds every text, the held ones too, as a shop's whole export does."""
    path = tmp_path / "all.csv"
    path.write_text(
        "text\nединственный новый\n" + "".join(f"{t}\n" for t in reviews.texts), "utf-8"
    )
    learned = []

    def fit_module(build, dataset, *rest):
        learned.append(set(dataset.normalized))
        return fit(build, dataset, *rest)

    fit = training.fit.loop.fit_module
    monkeypatch.setattr("training.fit.loop.fit_module", fit_module)
    config = _taught(quick.model_copy(update={"epochs": 1, "folds": 2}), path, "majority")
    held = out_of_fold("lstm", reviews, split_of(reviews, config), config, _silent)
    assert len(learned) == 2
    assert not set.intersection(*learned) & set(held.rows.normalized)
    test = {"test": reviews.take([0, 1, 2])}
    compare([Candidate("lstm", "lstm", config)], reviews, test, [0], tmp_path / "work")
    assert "единственный новый" in learned[-1]
    assert not learned[-1] & set(test["test"].normalized)


def test_without_a_file_teachers_label_what_is_made_of_the_guessed_reviews(reviews, quick):
    guessed = labelled(["наушники с чехлом и проводом для сына"], [7], "pool")
    config = quick.model_copy(update={"distillation": Distillation(teachers=("majority",))})
    rows = with_teachers(join(reviews, guessed), config, _silent)
    made = rows.take(np.array(rows.origin) == Origin.DISTILLED).normalized
    assert made
    assert all(set(text.split()) < set(guessed.normalized[0].split()) for text in made)


def test_variants_keep_the_order_of_the_words_and_hang_on_the_seed():
    text = " ".join(f"слово{n}" for n in range(30))
    thinned, run = variants([text], 0)
    assert thinned.split() == [word for word in text.split() if word in thinned.split()]
    assert 30 > len(thinned.split()) > 15
    assert run in text
    assert 3 <= len(run.split()) <= 9
    assert variants([text], 0) == [thinned, run] != variants([text], 1)
    assert variants(["чайник"], 0) == ["чайник", "чайник"]


def test_a_teacher_on_a_base_of_its_own_is_trained_as_its_options_say(
    reviews, quick, unlabelled, tmp_path, monkeypatch
):
    trained = []

    def fit_module(build, dataset, config, *rest):
        trained.append((config.epochs, config.learning_rate, config.frozen_layers))
        return fit(build, dataset, config, *rest)

    fit = training.fit.loop.fit_module
    monkeypatch.setattr("training.fit.loop.fit_module", fit_module)
    large = tmp_path / "large"
    load_encoder(quick.encoder).save(large)
    taught = _taught(quick, unlabelled, "bert", f"bert={large}").distillation
    tuning = FineTuning(epochs=1, learning_rate=1e-5, frozen_layers=1)
    config = quick.model_copy(
        update={"distillation": taught.model_copy(update={"fine_tuning": tuning})}
    )
    fit_family("bert", reviews, config)
    own = (quick.epochs, quick.learning_rate, 0)
    assert trained == [own, (1, 1e-5, 1), own]


def test_an_unknown_teacher_is_refused(reviews, quick, unlabelled):
    with pytest.raises(UnknownFamily):
        with_teachers(reviews, _taught(quick, unlabelled, "xgboost"), _silent)


def test_texts_that_are_all_labelled_teach_nothing(reviews, quick, tmp_path):
    path = tmp_path / "same.csv"
    path.write_text(f"text\n{reviews.texts[0]}\n", "utf-8")
    with pytest.raises(DataError, match="besides"):
        with_teachers(reviews, _taught(quick, path, "majority"), _silent)


def test_each_teacher_has_the_base_that_is_named_with_it(
    reviews, quick, unlabelled, tiny_encoder, tmp_path
):
    """Of two teachers of one family both had the base that was named last."""
    other = tmp_path / "a=b"
    torch.manual_seed(1)
    new_encoder(load_encoder(tiny_encoder).tokenizer, Shape(1, 16, 2, 32, 32)).save(other)
    names = (f"embeddings={tiny_encoder}", f"embeddings={other}")
    rows = with_teachers(reviews, _taught(quick, unlabelled, *names), _silent)
    added = rows.take(np.array(rows.origin) == Origin.DISTILLED)
    teachers = [
        fit_family("embeddings", reviews, quick.model_copy(update={"encoder": base}))
        for base in (tiny_encoder, other)
    ]
    mean = np.mean([softmax(teacher.logits(added.normalized)) for teacher in teachers], axis=0)
    np.testing.assert_allclose(added.probabilities, mean, atol=1e-4)


@pytest.mark.parametrize(
    ("teacher", "error", "said"),
    [
        ("xgboost", UnknownFamily, "no family 'xgboost'"),
        ("=models/base", UnknownFamily, "no family ''"),
        ("bert=", LabellerUnavailable, "the empty name is no checkpoint"),
        ("bert=absent/base", LabellerUnavailable, "absent/base is not on this machine"),
        ("ngrams=deploy/model", DataError, "ngrams starts from no base"),
    ],
)
def test_a_teacher_that_cannot_be_trained_is_refused_before_any_is(teacher, error, said):
    config = TrainConfig(distillation=Distillation(teachers=("majority", teacher)))
    with pytest.raises(error, match=said):
        check_teachers(config)


def test_options_for_teachers_on_a_base_of_their_own_are_refused_where_there_is_none():
    tuning = FineTuning(epochs=1)
    config = TrainConfig(distillation=Distillation(teachers=("majority",), fine_tuning=tuning))
    with pytest.raises(DataError, match="there is none"):
        check_teachers(config)


def test_a_base_of_a_teacher_with_too_few_layers_to_freeze_is_refused_before_any_is_trained(
    tiny_encoder,
):
    config = TrainConfig(
        distillation=Distillation(
            teachers=("majority", f"bert={tiny_encoder}"), fine_tuning=FineTuning(frozen_layers=99)
        )
    )
    with pytest.raises(CheckpointError, match="99 layers cannot be frozen"):
        check_teachers(config)


@pytest.mark.parametrize("name", ["embeddings", "mlp", "lora", "lstm", "static"])
def test_a_family_that_trains_no_layer_of_its_base_refuses_to_freeze_some(tiny_encoder, name):
    config = TrainConfig(encoder=tiny_encoder, frozen_layers=1)
    with pytest.raises(DataError, match=f"{name} trains no layer"):
        check_options(name, config)


def test_the_mean_of_several_trainings_is_refused_where_products_of_weights_are_learned():
    several = TrainConfig(tricks=Tricks(soup=2))
    check_options("bert", several)
    with pytest.raises(DataError, match="lora learns products"):
        check_options("lora", several)


@pytest.mark.parametrize("name", ["embeddings", "hybrid", "static", "ngrams"])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param(
            {"tricks": Tricks(soup=3, prune=True)}, "tricks.prune, tricks.soup", id="tricks"
        ),
        pytest.param(
            {"imbalance": Imbalance(focal_gamma=1)}, "imbalance.focal_gamma", id="imbalance"
        ),
    ],
)
def test_a_family_that_is_not_trained_by_gradients_refuses_what_means_nothing_to_it(
    name, options, named
):
    with pytest.raises(DataError, match=f"{name} is not trained by gradients: {named} would"):
        check_options(name, TrainConfig(**options))


def test_options_of_its_teachers_are_not_refused_to_a_family_that_is_not_trained_by_gradients():
    taught = Distillation(teachers=("bert",))
    check_options("static", TrainConfig(tricks=Tricks(r_drop=1), distillation=taught))
    with pytest.raises(DataError, match=r"gradients: tricks\.soup would"):
        check_options("static", TrainConfig(tricks=Tricks(r_drop=1, soup=2), distillation=taught))


def test_layers_are_not_frozen_and_started_afresh_at_once(tiny_encoder):
    layers = layers_told(str(tiny_encoder))
    afresh = Tricks(reinit_layers=1)
    check_options("bert", TrainConfig(encoder=tiny_encoder, frozen_layers=layers))
    with pytest.raises(DataError, match="are to be frozen, and 1 to start afresh"):
        check_options(
            "bert", TrainConfig(encoder=tiny_encoder, frozen_layers=layers, tricks=afresh)
        )
