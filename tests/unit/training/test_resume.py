"""An interrupted training ends with the weights that it would have ended with; another is not taken up."""

import numpy as np
import pytest
import torch

from stream.errors import DiskFull
from tests.bench.bundled_model.encoder import starter_encoder
from tests.bench.bundled_model.recipe import StarterPlan, plan_of
from training.encoders.encoder import load_encoder
from training.errors import TrainingError
from training.fit.config import TrainConfig
from training.fit.runtime import autocast
from training.pretraining.checkpoint import pretrain_to, run_record
from training.pretraining.mlm import PretrainConfig, pretrain
from training.train import fit_family
from training.writable import is_complete

pytestmark = pytest.mark.slow


class Interrupted(Exception):
    """Ctrl-C, as far as the loop can tell."""


def _stop_in_epoch(number):
    def progress(stage, _done, _total):
        if stage.startswith(f"epoch {number}"):
            raise Interrupted

    return progress


@pytest.mark.parametrize("name", ["bert", "lstm"])
def test_a_resumed_training_is_the_uninterrupted_one(name, reviews, quick, tmp_path):
    whole = fit_family(name, reviews, quick).logits(reviews.normalized)
    config = quick.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(Interrupted):
        fit_family(name, reviews, config, _stop_in_epoch(4))
    resumed = fit_family(name, reviews, config).logits(reviews.normalized)
    np.testing.assert_allclose(resumed, whole, atol=1e-5)


def test_a_training_on_other_data_does_not_take_up_the_former(reviews, quick, tmp_path):
    config = quick.model_copy(update={"checkpoints": tmp_path})
    fit_family("lstm", reviews, config)
    fewer = reviews.take(np.arange(0, len(reviews), 2))
    fresh = fit_family("lstm", fewer, quick).logits(["чайник"])
    np.testing.assert_allclose(fit_family("lstm", fewer, config).logits(["чайник"]), fresh)


@pytest.mark.parametrize("kept", [0, 1000])
def test_progress_that_is_damaged_is_named(kept, reviews, quick, tmp_path):
    config = quick.model_copy(update={"checkpoints": tmp_path, "epochs": 1})
    fit_family("lstm", reviews, config)
    file = tmp_path / "progress.pt"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(TrainingError, match=r"progress\.pt.*is damaged"):
        fit_family("lstm", reviews, config)


@pytest.mark.parametrize("changed", ["code", "base", "options"])
def test_a_training_that_would_come_out_otherwise_does_not_take_up_the_former(
    changed, reviews, quick, tiny_encoder, tmp_path, monkeypatch
):
    base = tmp_path / "base"
    load_encoder(tiny_encoder).save(base)
    config = quick.model_copy(
        update={"checkpoints": tmp_path / "work", "encoder": base, "epochs": 1}
    )
    fit_family("lstm", reviews, config)
    if changed == "code":
        monkeypatch.setattr("training.fit.lineage.code_digest", lambda: "of other code")
    elif changed == "base":
        other = load_encoder(tiny_encoder)
        with torch.no_grad():
            other.model.get_input_embeddings().weight.mul_(2)
        other.save(base)
    else:
        config = config.model_copy(update={"learning_rate": 1e-4})
    steps = []
    fit_family("lstm", reviews, config, lambda *told: steps.append(told))
    assert steps


def test_a_base_that_was_moved_is_the_same_base(reviews, quick, tiny_encoder, tmp_path):
    for name in ("here", "there"):
        load_encoder(tiny_encoder).save(tmp_path / name)
    config = quick.model_copy(update={"checkpoints": tmp_path / "work", "epochs": 1})
    fit_family("lstm", reviews, config.model_copy(update={"encoder": tmp_path / "here"}))
    steps = []
    config = config.model_copy(update={"encoder": tmp_path / "there"})
    fit_family("lstm", reviews, config, lambda *told: steps.append(told))
    assert not steps


def test_resumed_pretraining_has_the_losses_of_the_uninterrupted(reviews, tiny_encoder, tmp_path):
    texts = reviews.normalized
    config = PretrainConfig(epochs=3, batch_size=16, max_length=16, device="cpu")
    whole = pretrain(load_encoder(tiny_encoder), texts, config)
    config = config.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(Interrupted):
        pretrain(load_encoder(tiny_encoder), texts, config, _stop_in_epoch(3))
    resumed = pretrain(load_encoder(tiny_encoder), texts, config)
    np.testing.assert_allclose(resumed, whole, rtol=1e-4)


def test_an_interrupted_pretraining_leaves_no_checkpoint_and_then_goes_on(
    reviews, tiny_encoder, tmp_path
):
    texts = reviews.normalized
    config = PretrainConfig(epochs=3, batch_size=16, max_length=16, device="cpu")
    whole = pretrain(load_encoder(tiny_encoder), texts, config)
    with pytest.raises(Interrupted):
        pretrain_to(tmp_path, load_encoder(tiny_encoder), texts, config, _stop_in_epoch(3))
    assert not is_complete(tmp_path)
    went_on = pretrain_to(tmp_path, load_encoder(tiny_encoder), texts, config)
    np.testing.assert_allclose(went_on, whole, rtol=1e-4)
    assert load_encoder(tmp_path).width == load_encoder(tiny_encoder).width


def test_pretraining_another_base_does_not_take_up_the_former(reviews, tiny_encoder, tmp_path):
    texts = reviews.normalized
    config = PretrainConfig(
        epochs=2, batch_size=16, max_length=16, device="cpu", checkpoints=tmp_path
    )
    first = pretrain(load_encoder(tiny_encoder), texts, config)
    other = load_encoder(tiny_encoder)
    with torch.no_grad():
        other.model.get_input_embeddings().weight.mul_(2)
    assert pretrain(other, texts, config) != pytest.approx(first, rel=1e-6)


@pytest.fixture
def starter(reviews, tiny_encoder, tmp_path, monkeypatch):
    """Make the starter's encoder, from a base of milliseconds; tells whether it was pretrained."""
    monkeypatch.setattr(
        "tests.bench.bundled_model.encoder.blank_encoder", lambda *_: load_encoder(tiny_encoder)
    )

    def make(texts=reviews.normalized, **options):
        config = PretrainConfig(
            batch_size=16, max_length=16, device="cpu", **({"epochs": 1} | options)
        )
        stages = []
        starter_encoder(texts, tmp_path, config, lambda stage, *_: stages.append(stage))
        return any(stage.startswith("epoch") for stage in stages)

    return make


def test_the_starters_encoder_is_pretrained_once(starter):
    assert starter()
    assert not starter()


def test_an_encoder_of_another_pretraining_is_made_anew(starter, reviews, tmp_path):
    starter()
    assert starter(epochs=2)
    assert run_record(tmp_path)["config"]["epochs"] == 2
    assert starter(reviews.normalized[1:], epochs=2)


def test_an_encoder_that_says_nothing_of_its_making_is_made_anew(starter, tmp_path):
    starter()
    (tmp_path / "pretraining.json").unlink()
    assert starter()


def test_an_encoder_of_other_code_is_made_anew(starter, monkeypatch):
    starter()
    monkeypatch.setattr("training.pretraining.mlm.code_digest", lambda: "of other code")
    assert starter()


def test_what_a_gpu_left_goes_on_where_there_is_none(reviews, quick, tmp_path, monkeypatch):
    """A file of tensors says which device each was on."""
    config = quick.model_copy(update={"checkpoints": tmp_path})
    monkeypatch.setattr("torch.serialization.location_tag", lambda _: "cuda:0")
    with pytest.raises(Interrupted):
        fit_family("lstm", reviews, config, _stop_in_epoch(4))
    stages = []
    fit_family("lstm", reviews, config, lambda stage, *_: stages.append(stage))
    assert stages[0].startswith("epoch 4")


@pytest.mark.parametrize("fast", [True, False])
def test_a_gpu_computes_in_half_the_bits_only_if_it_is_made_for_it(fast, monkeypatch):
    """Older ones imitate bfloat16, slower than they compute in single precision."""

    def supported(including_emulation=True):
        return fast or including_emulation

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", supported)
    assert autocast(torch.device("cuda"))._enabled is fast


def test_every_step_of_the_starter_has_the_seed_and_the_device_that_were_wanted():
    plan = plan_of(TrainConfig(seed=3, device="cpu"), half_graph=True)
    assert (plan.recipe.seed, plan.pretraining.seed, plan.training.seed) == (3, 3, 3)
    assert plan.pretraining.device == "cpu"
    assert plan.pretraining.epochs == StarterPlan().pretraining.epochs


def test_two_trainings_in_one_folder_are_told_of_each_other(reviews, quick, tmp_path, monkeypatch):
    def saved_and_taken_by_the_other(_state, path):
        path.with_name("progress.pt").write_bytes(b"the other's")

    monkeypatch.setattr(torch, "save", saved_and_taken_by_the_other)
    with pytest.raises(TrainingError, match="another training keeps its progress"):
        fit_family("lstm", reviews, quick.model_copy(update={"checkpoints": tmp_path}))


def test_a_full_disk_is_said_as_such_and_leaves_the_former_progress(
    reviews, quick, tmp_path, monkeypatch
):
    config = quick.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(Interrupted):
        fit_family("lstm", reviews, config, _stop_in_epoch(3))
    kept = (tmp_path / "progress.pt").read_bytes()

    def no_space(_state, path):
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", no_space)
    with pytest.raises(DiskFull, match="progress cannot be kept"):
        fit_family("lstm", reviews, config)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.pt"]
    assert (tmp_path / "progress.pt").read_bytes() == kept
