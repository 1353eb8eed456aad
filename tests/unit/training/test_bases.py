"""A base checkpoint of any kind is trained from; one that would come to nothing is refused at once."""

import json
import shutil

import pytest
import torch
import transformers
from tokenizers import Tokenizer

from stream.model.classifier import Classifier
from training.encoders.checkpoints import CheckpointError
from training.encoders.encoder import load_encoder
from training.fit.config import Tricks
from training.train import fit_family, train_family

pytestmark = pytest.mark.slow

_BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
_DISTILBERT = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 64,
    "max_position_embeddings": 40,
}


def saved(folder, tokenizer_file, kind, **config):
    """A checkpoint as a hub has them: a kind of model with random weights, and a tokenizer."""
    folder.mkdir()
    vocabulary = Tokenizer.from_file(str(tokenizer_file)).get_vocab_size()
    torch.manual_seed(0)
    made = getattr(transformers, f"{kind}Config")(vocab_size=vocabulary, pad_token_id=0, **config)
    suffix = "ForMaskedLM" if kind == "Bert" else "Model"
    getattr(transformers, kind + suffix)(made).save_pretrained(folder)
    shutil.copy(tokenizer_file, folder / "tokenizer.json")
    return folder


@pytest.fixture
def tokenizer_file(tiny_encoder):
    return tiny_encoder / "tokenizer.json"


@pytest.mark.parametrize(
    ("kind", "config"),
    [("Bert", _BERT), ("DistilBert", _DISTILBERT), ("Electra", _BERT | {"embedding_size": 16})],
)
def test_low_rank_updates_find_the_attention_of_each_kind(
    kind, config, tokenizer_file, reviews, quick, tmp_path
):
    base = saved(tmp_path / "base", tokenizer_file, kind, **config)
    plan = quick.model_copy(update={"encoder": base, "epochs": 1, "tricks": Tricks()})
    train_family("lora", reviews, tmp_path / "model", plan)
    assert Classifier.load(tmp_path / "model", device="cpu").classify(["чайник"])


def test_the_top_layer_of_another_kind_starts_afresh(tokenizer_file, reviews, quick, tmp_path):
    base = saved(tmp_path / "base", tokenizer_file, "DistilBert", **_DISTILBERT)
    tricks = Tricks(reinit_layers=1)
    plan = quick.model_copy(update={"encoder": base, "epochs": 1, "tricks": tricks})
    assert fit_family("bert", reviews, plan).parameters


def test_texts_are_cut_to_what_the_base_can_read(tokenizer_file, reviews, quick, tmp_path):
    base = saved(tmp_path / "base", tokenizer_file, "Roberta", **_BERT)
    plan = quick.model_copy(update={"encoder": base, "epochs": 1, "max_length": 512})
    model = fit_family("bert", reviews, plan)
    assert model.max_length == 39  # RoBERTa's places begin after the padding's
    assert model.logits(["чайник " * 600]).shape == (1, 9)


def test_weights_of_another_checkpoint_are_refused_instead_of_drawn_at_random(
    tokenizer_file, tmp_path
):
    base = saved(tmp_path / "base", tokenizer_file, "Bert", **_BERT)
    other = saved(tmp_path / "other", tokenizer_file, "DistilBert", **_DISTILBERT)
    shutil.copy(other / "model.safetensors", base)
    with pytest.raises(CheckpointError, match="of the weights that") as refused:
        load_encoder(base)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("model.safetensors", "x" * 99, "cannot be loaded"),
        ("tokenizer.json", "{}", "cannot be loaded"),
        ("config.json", "{", "cannot be loaded"),
        ("config.json", json.dumps({"model_type": "bert", "hidden_size": 48}), "other sizes"),
    ],
)
def test_a_damaged_base_is_one_line_and_a_remedy(file, content, words, tokenizer_file, tmp_path):
    base = saved(tmp_path / "base", tokenizer_file, "Bert", **_BERT)
    (base / file).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=words) as refused:
        load_encoder(base)
    assert refused.value.remedy
    assert "\n" not in refused.value.message


def test_a_tokenizer_with_more_pieces_than_the_model_is_refused(tokenizer_file, tmp_path):
    base = saved(tmp_path / "base", tokenizer_file, "Bert", **_BERT)
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.add_tokens(["добавлено"])
    tokenizer.save(str(base / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="word pieces, the model vectors for"):
        load_encoder(base)


def test_an_encoder_with_a_decoder_is_refused(tokenizer_file, tmp_path):
    sizes = {"d_model": 32, "num_layers": 1, "num_heads": 2, "d_ff": 64, "d_kv": 16}
    base = saved(tmp_path / "base", tokenizer_file, "T5", **sizes)
    with pytest.raises(CheckpointError, match="with a decoder"):
        load_encoder(base)
