"""A small encoder learns a large one's states, without a label."""

import numpy as np
import pytest

from tests.bench.bundled_model.encoder import taught_encoder
from training.encoders.encoder import Shape, load_encoder, new_encoder
from training.encoders.vocabulary import learn_tokenizer
from training.pretraining.states import StatesConfig, learn_states, mean_states
from training.writable import is_complete

QUICK = StatesConfig(epochs=4, batch_size=16, max_length=16, device="cpu", learning_rate=5e-3)


class Stopped(Exception):
    pass


@pytest.fixture
def teacher(reviews):
    """An encoder of another width and another vocabulary."""
    tokenizer = learn_tokenizer(reviews.normalized, parts=40)
    return new_encoder(tokenizer, Shape(layers=1, width=24, heads=2, inner=32, positions=32))


def weights(encoder):
    return {name: value.numpy().copy() for name, value in encoder.model.state_dict().items()}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def stop_in_epoch(number):
    def progress(stage, _done, _of):
        if stage.startswith(f"states, epoch {number}"):
            raise Stopped

    return progress


def test_it_comes_nearer_to_the_teacher_and_the_teacher_stays(tiny_encoder, teacher, reviews):
    before = weights(teacher)
    errors = learn_states(load_encoder(tiny_encoder), teacher, reviews.normalized, QUICK)
    assert errors[-1] < 0.8 * errors[0]
    assert same(weights(teacher), before)


def test_a_text_has_the_same_state_alone_and_among_longer_ones(teacher):
    texts = ["чайник", "сапоги на каждый день, очень удобные"]
    together = mean_states(teacher, texts, QUICK)
    alone = mean_states(teacher, texts[:1], QUICK)
    assert together.shape == (2, teacher.width)
    # Some processors compute it in bfloat16. Padding that counted would move it by tenths.
    np.testing.assert_allclose(together[:1], alone, atol=0.05)


def test_a_call_that_was_interrupted_ends_with_the_same_weights(
    tiny_encoder, teacher, reviews, tmp_path
):
    texts = reviews.normalized
    whole, resumed = load_encoder(tiny_encoder), load_encoder(tiny_encoder)
    learn_states(whole, teacher, texts, QUICK)
    kept = QUICK.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(Stopped):
        learn_states(load_encoder(tiny_encoder), teacher, texts, kept, stop_in_epoch(3))
    stages = []
    learn_states(resumed, teacher, texts, kept, lambda stage, *_: stages.append(stage))
    assert not any("large encoder" in stage or "epoch 1" in stage for stage in stages)
    assert same(weights(whole), weights(resumed))


@pytest.mark.parametrize("kept", [b"", b"PK\x03\x04 half", b"no archive", b"\x93NUMPY\x01\x00"])
def test_states_that_cannot_be_read_are_made_anew(tiny_encoder, teacher, reviews, tmp_path, kept):
    (tmp_path / "states.npz").write_bytes(kept)
    config = QUICK.model_copy(update={"checkpoints": tmp_path, "epochs": 1})
    assert len(learn_states(load_encoder(tiny_encoder), teacher, reviews.normalized, config)) == 1
    with np.load(tmp_path / "states.npz", allow_pickle=False) as states:
        assert states["states"].shape == (len(reviews), teacher.width)


def test_the_bundled_models_base_is_taught_once(tiny_encoder, teacher, reviews, tmp_path):
    teacher.save(tmp_path / "teacher")
    folder = tmp_path / "taught"

    def make(texts=reviews.normalized):
        stages = []
        told = lambda stage, *_: stages.append(stage)  # noqa: E731
        taught_encoder(tiny_encoder, tmp_path / "teacher", texts, folder, QUICK, told)
        return bool(stages)

    assert make()
    assert is_complete(folder)
    assert not same(weights(load_encoder(folder)), weights(load_encoder(tiny_encoder)))
    assert not make()
    assert make(reviews.normalized[1:])
