"""A small NLI checkpoint of one's own: trained here on a dozen texts a category, used as any other."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from typer.testing import CliRunner

from stream.settings import LabelSettings
from tests.support.tiny_checkpoints import write_nli
from tests.support.tiny_model import KEYWORDS
from training.cli.label import app
from training.data.dataset import labelled
from training.encoders.encoder import Shape, new_encoder
from training.errors import DataError
from training.labelling.hypotheses import hypotheses
from training.labelling.nli import NliConfig, draw_pairs, train_nli
from training.labelling.output import write_rows
from training.labelling.panel import cheap_panel
from training.labelling.zero_shot import ZeroShotLabeller

pytestmark = pytest.mark.slow

FILLER = ("", "хороший", "плохой", "мой", "новый", "пришел")


def texts(fillers):
    return [f"{word} {filler}".strip() for word in KEYWORDS for filler in fillers]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An untrained BERT that knows the nine keywords and the words of the hypotheses."""
    folder = tmp_path_factory.mktemp("base")
    write_nli(folder / "words", list(hypotheses().phrases), hypotheses().templates)
    torch.manual_seed(0)
    tokenizer = Tokenizer.from_file(str(folder / "words" / "tokenizer.json"))
    encoder = new_encoder(tokenizer, Shape(layers=1, width=64, heads=4, inner=128, positions=64))
    encoder.model.config.hidden_dropout_prob = 0.0
    encoder.model.config.attention_probs_dropout_prob = 0.0
    # Wider than BERT's own start, which takes far more steps to tell words apart.
    for name, parameter in encoder.model.named_parameters():
        if "word_embeddings" in name:
            torch.nn.init.normal_(parameter)
        elif parameter.dim() == 2 and "embeddings" not in name:
            torch.nn.init.normal_(parameter, std=0.12)
    # Which word belongs to which phrase is given; what follows from it is to be learnt.
    words = encoder.model.get_input_embeddings().weight
    with torch.no_grad():
        for keyword, phrase in zip(KEYWORDS, hypotheses().phrases, strict=True):
            words[tokenizer.token_to_id(phrase.split()[-1])] = words[tokenizer.token_to_id(keyword)]
    encoder.save(folder / "base")
    return folder / "base"


@pytest.fixture(scope="module")
def data():
    return labelled(texts(FILLER), np.repeat(np.arange(9), len(FILLER)), "person")


@pytest.fixture(scope="module")
def config(base):
    return NliConfig(
        base=base, epochs=40, learning_rate=3e-3, batch_size=27, denials=4, device="cpu"
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data, config):
    folder = tmp_path_factory.mktemp("trained")
    train_nli(data, folder / "nli", folder / "work", config)
    return folder


def test_what_it_learnt_is_what_zero_shot_finds(trained):
    votes = ZeroShotLabeller(str(trained / "nli")).label(texts(["такое"]))
    # By guessing one of nine would be right.
    assert (votes.choices == np.arange(9)).sum() >= 7


def test_what_lay_on_the_way_is_cleared_away(trained):
    assert [path.name for path in trained.iterdir()] == ["nli"]


def test_each_review_is_paired_with_what_it_entails_and_with_what_it_does_not(base, data):
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    pairs = draw_pairs(data, tokenizer, 2, np.random.default_rng(0))
    assert pairs.entails.tolist() == [1, 0, 0] * len(data)
    read = [tokenizer.decode(ids) for ids in pairs.ids[:3]]
    assert all(KEYWORDS[0] in pair for pair in read)
    phrases = [p for pair in read for p in hypotheses().phrases if pair.endswith(f"{p} .")]
    assert phrases[0] == hypotheses().phrases[0]
    assert len(set(phrases)) == 3


def test_an_interrupted_training_goes_on_to_the_same_weights(trained, data, config, tmp_path):
    def interrupt(stage, _done, _total):
        if stage.startswith("epoch 5"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_nli(data, tmp_path / "nli", tmp_path / "work", config, interrupt)
    assert not (tmp_path / "nli").exists()
    first = []
    train_nli(
        data, tmp_path / "nli", tmp_path / "work", config, lambda *told: first.append(told[0])
    )
    assert first[0].startswith("epoch 5")
    weights = [folder / "nli" / "model.safetensors" for folder in (trained, tmp_path)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_one_category_alone_teaches_nothing(tmp_path, config):
    with pytest.raises(DataError, match="one category"):
        train_nli(labelled(["а", "б"], [2, 2], "person"), tmp_path / "n", tmp_path / "w", config)


def test_the_checkpoint_made_here_votes_where_the_named_one_is_not_at_hand(trained, tmp_path):
    settings = LabelSettings(zero_shot_model=str(tmp_path / "absent"), nli=trained / "nli")
    assert "zero-shot" in [labeller.name for labeller in cheap_panel(settings).cheap]


def test_without_any_checkpoint_zero_shot_is_left_out_and_the_note_says_how_to_make_one(tmp_path):
    absent = {"zero_shot_model": str(tmp_path / "absent"), "nli": tmp_path / "none"}
    panel = cheap_panel(LabelSettings(**absent))
    assert "zero-shot" not in [labeller.name for labeller in panel.cheap]
    assert "`reviews label nli`" in panel.notes[0]


def test_whoever_names_no_checkpoint_gets_no_zero_shot(trained):
    panel = cheap_panel(LabelSettings(zero_shot_model="", nli=trained / "nli"))
    assert "zero-shot" not in [labeller.name for labeller in panel.cheap]
    assert panel.notes == ()


@pytest.fixture
def reviews(tmp_path):
    dresses = [{"text": f"платье {i}", "category": "clothing"} for i in range(4)]
    kettles = [{"text": f"чайник {i}", "category": "household-appliances"} for i in range(4)]
    write_rows(tmp_path / "labels.jsonl", [*dresses, *kettles])
    write_rows(tmp_path / "checked.jsonl", kettles)
    return tmp_path


def run(folder, base, *options):
    arguments = ["nli", str(folder / "labels.jsonl"), "--base", str(base), "--epochs", "1"]
    return CliRunner().invoke(app, [*arguments, "-o", str(folder / "nli"), *options])


def test_the_command_makes_a_checkpoint_that_votes(reviews, base):
    result = run(reviews, base)
    assert result.exit_code == 0, result.output
    votes = ZeroShotLabeller(str(reviews / "nli")).label(["платье"])
    assert votes.probabilities.sum() == pytest.approx(1)


def test_what_labelling_is_calibrated_on_is_not_trained_on(reviews, base):
    result = run(reviews, base, "--validated", str(reviews / "checked.jsonl"))
    assert isinstance(result.exception, DataError)
    assert "one category" in result.exception.message
