"""Zero-shot, encoder and local LLM on small checkpoints that are made here."""

import numpy as np
import pytest

from tests.support.tiny_checkpoints import write_causal, write_nli
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.encoders.checkpoints import local_checkpoint
from training.errors import LabellerUnavailable
from training.labelling.classifier_voter import ClassifierLabeller
from training.labelling.dictionary import DictionaryLabeller
from training.labelling.embedding import TransformerEmbedder
from training.labelling.hypotheses import hypotheses
from training.labelling.llm.local import LocalCausalLabeller
from training.labelling.zero_shot import ZeroShotLabeller


@pytest.fixture(scope="module")
def nli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nli")
    return write_nli(folder, list(hypotheses().phrases), hypotheses().templates)


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    return write_causal(tmp_path_factory.mktemp("causal") / "tiny-llm")


def test_zero_shot_finds_the_category_that_the_review_entails(nli):
    votes = ZeroShotLabeller(str(nli)).label(list(KEYWORDS))
    assert votes.choices.tolist() == list(range(9))
    assert "одежда" in votes.reasons[2]


def test_zero_shot_abstains_on_an_empty_review(nli):
    votes = ZeroShotLabeller(str(nli)).label(["", "платье"])
    assert votes.abstained.tolist() == [True, False]


def test_zero_shot_reads_in_batches_and_keeps_the_order(nli):
    labeller = ZeroShotLabeller(str(nli))
    texts = [KEYWORDS[i % 9] for i in range(40)]
    assert labeller.label(texts).choices.tolist() == [i % 9 for i in range(40)]


def test_a_checkpoint_that_is_not_at_hand_is_one_clear_line_and_is_not_downloaded(tmp_path):
    with pytest.raises(LabellerUnavailable, match="not on this machine") as missing:
        ZeroShotLabeller(str(tmp_path / "nothing"))
    assert "hf download" in missing.value.remedy


def test_a_model_that_was_not_made_for_entailment_is_refused(nli, tmp_path):
    config = (nli / "config.json").read_text().replace("entailment", "positive")
    for file in nli.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(LabellerUnavailable, match="no label for entailment"):
        ZeroShotLabeller(str(tmp_path))


def test_an_encoder_may_stand_in_for_the_word_vectors(nli):
    embedder = TransformerEmbedder(str(nli))
    vectors = embedder.embed(["платье", "сапоги и платье", "платье"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[2])
    assert len(DictionaryLabeller.load(embedder=embedder).label(["платье"])) == 1


def test_a_local_llm_votes_with_its_next_token(causal):
    labeller = LocalCausalLabeller(causal)
    votes = labeller.label(["платье", "сапоги", "чайник", "юбка", "кофта"])
    assert labeller.name == "tiny-llm"
    assert not votes.abstained.any()
    assert votes.probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_padding_does_not_move_a_local_llm(causal):
    labeller = LocalCausalLabeller(causal)
    beside = labeller.label(["платье", "очень длинное платье " * 10]).probabilities[0]
    assert labeller.label(["платье"]).probabilities[0] == pytest.approx(beside, abs=1e-4)


def test_a_tokenizer_that_does_not_tell_digits_apart_is_refused(tmp_path):
    folder = write_causal(tmp_path / "blind", digits="01")
    with pytest.raises(LabellerUnavailable, match="digits apart"):
        LocalCausalLabeller(folder)


def test_the_serving_classifier_may_vote(tmp_path):
    write_tiny_model(tmp_path)
    votes = ClassifierLabeller.load(tmp_path).label(["платье", "чайник"])
    assert votes.choices.tolist() == [2, 0]


def test_a_folder_without_a_checkpoint_is_not_taken_for_a_hubs_name(tmp_path):
    with pytest.raises(LabellerUnavailable, match=r"no config\.json") as wrong:
        ZeroShotLabeller(str(tmp_path))
    assert "hf download" not in wrong.value.remedy


def hub_cache(folder, name, revisions):
    """A hub's local cache as huggingface_hub keeps it: revisions by commit, the first one is main."""
    repository = folder / f"models--{name.replace('/', '--')}"
    for commit in revisions:
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revisions[0])


def test_a_hub_name_with_a_commit_is_that_commit(tmp_path, monkeypatch):
    first, second = "a" * 40, "b" * 40
    hub_cache(tmp_path, "some/model", [first, second])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path))
    assert local_checkpoint("some/model").name == first
    assert local_checkpoint(f"some/model@{second}").name == second
    with pytest.raises(LabellerUnavailable) as missing:
        local_checkpoint(f"some/model@{'c' * 40}")
    assert missing.value.remedy.startswith(f"run `hf download some/model --revision {'c' * 40}`")
