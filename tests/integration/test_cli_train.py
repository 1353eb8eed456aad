"""`reviews train` and `reviews compare` as a person runs them."""

import json

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from stream.model.classifier import Classifier
from tests.support.command_line import reviews
from tests.support.tiny_model import KEYWORDS
from training.encoders.encoder import Shape, new_encoder
from training.encoders.vocabulary import learn_tokenizer

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A base checkpoint, labels and options of a training that takes a second."""
    folder = tmp_path_factory.mktemp("training")
    ends = ("хорошо", "плохо", "нормально", "супер")
    texts = [f"{word} {end}" for word in KEYWORDS for end in ends]
    torch.manual_seed(0)
    tokenizer = learn_tokenizer(texts, KEYWORDS, (), 40)
    new_encoder(tokenizer, Shape(1, 16, 2, 32, 32)).save(folder / "base")
    lines = [f"{text},{row // len(ends)}" for row, text in enumerate(texts)]
    (folder / "labels.csv").write_text("\n".join(["text,category_id", *lines]), encoding="utf-8")
    options = {
        "encoder": str(folder / "base"),
        "epochs": 10,
        "batch_size": 9,
        "learning_rate": 5e-3,
        "head_learning_rate": 2e-2,
        "max_length": 16,
        "hidden": 8,
        "folds": 2,
        "threads": 1,
    }
    (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
    return folder


def test_a_family_is_trained_on_own_labels_and_can_be_served(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    ran = reviews(
        *("train", "bert", "labels.csv", "--config", "options.json"),
        *("--output", "model", "--work", "work", "--track", "records", "--json"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    model = Classifier.load(folder / "model", device="cpu")
    assert told["version"] == model.version
    said = model.classify(list(KEYWORDS)).probabilities.argmax(axis=1)
    assert (said == np.arange(9)).mean() > 0.7
    assert "next:" in ran.stderr
    assert _models_in(folder / "records") == [model.version]


def _models_in(records):
    """Return the versions in the finished records of trainings, read by MLflow's own client."""
    client = MlflowClient(records.as_uri())
    (experiment,) = client.search_experiments(filter_string="name = 'reviews'")
    finished = "attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment.experiment_id], finished)
    return [run.data.tags["model"] for run in runs]


def test_families_are_compared_and_the_report_is_written(folder):
    ran = reviews(
        *("compare", "labels.csv", "--config", "options.json", "--epochs", "1", "--seeds", "1"),
        *("--family", "ngrams", "--family", "lstm", "--output", "report", "--work", "runs"),
        # Nothing listens there: that costs the records, and one line.
        *("--track", "http://ada:secret@127.0.0.1:1"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("records are kept no longer, the work goes on") == 1
    assert "secret" not in ran.stderr
    assert "weighted F1" in ran.stdout
    assert "reviews train lstm exports the best one that can serve" in " ".join(ran.stderr.split())
    assert (folder / "report" / "index.html").is_file()
    assert (folder / "report" / "confusion-1.png").read_bytes().startswith(b"\x89PNG")


def test_a_base_is_adapted_to_raw_texts_and_trained_from(folder):
    ran = reviews(
        *("pretrain", "labels.csv", "--base", "base", "--epochs", "8", "--output", "adapted"),
        "--json",
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    losses = json.loads(ran.stdout)["losses"]
    assert losses[-1] < losses[0]
    ran = reviews(
        *("train", "bert", "labels.csv", "--config", "options.json", "--encoder", "adapted"),
        *("--epochs", "1", "--output", "from-adapted", "--work", "work-adapted"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    record = json.loads((folder / "from-adapted" / "training.json").read_text(encoding="utf-8"))
    assert record["base"] == "adapted"


def test_the_command_line_says_how_the_graph_is_quantised(folder):
    ran = reviews(
        *("train", "lstm", "labels.csv", "--config", "options.json", "--epochs", "1"),
        *("--quantise", "none", "--output", "whole", "--work", "work-whole"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    record = json.loads((folder / "whole" / "training.json").read_text(encoding="utf-8"))
    assert record["cpu_graph"] == "single precision"


def test_of_two_labels_nothing_is_claimed(folder):
    """Two rows once trained "a model with published precision 1"."""
    (folder / "two.csv").write_text("text,category\nчайник,household-appliances\nсапоги,footwear\n")
    ran = reviews(
        *("train", "bert", "two.csv", "--config", "options.json", "--epochs", "1"),
        *("--validation", "three.csv", "--output", "two", "--work", "work-two", "--json"),
        cwd=folder,
    )
    assert ran.returncode == 2
    (folder / "three.csv").write_text("text,category\nутюг,household-appliances\nкеды,footwear\n")
    ran = reviews(
        *("train", "bert", "two.csv", "--config", "options.json", "--epochs", "1"),
        *("--validation", "three.csv", "--output", "two", "--work", "work-two", "--json"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["metrics"] == {"held_out_rows": 2.0, "held_out_rows_by_people": 2.0}
    said = "How good it is cannot be said: 2 labelled reviews were held out"
    assert said in " ".join(ran.stderr.split())
    assert said in (folder / "two" / "README.md").read_text(encoding="utf-8")
    assert "does not say who decided 2 of its labels" in " ".join(ran.stderr.split())


def test_guesses_alone_train_nothing_until_a_person_checked_a_sample(folder):
    """The README's own path: `label run`, then `train`."""
    rows = [line.split(",") for line in (folder / "labels.csv").read_text("utf-8").splitlines()[1:]]
    guess = {"decided_by": "agreement", "origin": "ensemble"}
    guesses = [{"text": text, "category_id": int(number), **guess} for text, number in rows]
    written = "".join(json.dumps(row) + "\n" for row in guesses)
    (folder / "guessed.jsonl").write_text(written, encoding="utf-8")
    command = ("train", "bert", "guessed.jsonl", "--config", "options.json", "--epochs", "1")
    places = ("--output", "guessed", "--work", "work-guessed")
    ran = reviews(*command, *places, cwd=folder)
    assert ran.returncode == 2
    assert "none of the 36 labels can be trusted" in ran.stderr
    checked = "".join(f"{text} весьма,{number}\n" for text, number in rows)
    (folder / "checked.csv").write_text("text,category_id\n" + checked, encoding="utf-8")
    ran = reviews(*command, *places, "--validation", "checked.csv", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    card = " ".join((folder / "guessed" / "README.md").read_text(encoding="utf-8").split())
    assert "36 texts: 36 ensemble." in card
    assert "Their labels: 36 person. People decided all of them." in card


def test_an_unknown_way_of_quantising_is_refused(folder):
    ran = reviews("train", "lstm", "labels.csv", "--quantise", "harder", cwd=folder)
    assert ran.returncode == 2
    assert "quantise: Input should be 'auto', 'static', 'dynamic' or 'none'" in " ".join(
        ran.stderr.split()
    )


def test_a_finished_checkpoint_is_not_written_over(folder):
    ran = reviews("pretrain", "labels.csv", "--output", "base", cwd=folder)
    assert ran.returncode == 2
    assert "finished checkpoint" in ran.stderr


def test_ways_of_training_are_compared_out_of_fold(folder):
    ran = reviews(
        *("compare", "labels.csv", "--what", "curve", "--out-of-fold"),
        cwd=folder,
    )
    assert ran.returncode == 2
    ran = reviews(
        *("compare", "labels.csv", "--config", "options.json", "--epochs", "1", "--seeds", "1"),
        *("--family", "lstm", "--out-of-fold", "--output", "folds", "--work", "runs"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    table = (folder / "folds" / "table.md").read_text(encoding="utf-8")
    assert "out of fold: weighted F1" in table


def test_ways_are_shown_against_doing_without_and_with_how_to_take_one_up(folder):
    ran = reviews(
        *("compare", "labels.csv", "--config", "options.json", "--epochs", "1", "--seeds", "1"),
        *("--what", "imbalance", "--family", "lstm", "--out-of-fold"),
        *("--output", "ways", "--work", "runs"),
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("less nothing") == 2
    assert "reviews train lstm --config FILE" in " ".join(ran.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "xgboost"), "there is no family 'xgboost'"),
        (("train", "ngrams"), "baseline"),
        (("train", "bert", "--track", "sqlite:///a.db"), "cannot write to sqlite:"),
        (("train", "bert", "--unlabelled", "more.csv"), "need a teacher"),
        (("train", "bert", "--teacher", "bert=absent/base"), "absent/base is not on this machine"),
        (("train", "bert", "--teacher", "xgboost"), "no family 'xgboost'"),
        (
            ("compare", "--out-of-fold", "--held-out", "products"),
            "the labels name 0 products: too few to hold some out",
        ),
        (("train", "bert", "absent.csv"), "there is no file absent.csv"),
        (("train", "bert", "--seed", "-1"), "seed: "),
        (("train", "bert", "--config", "epoch.json"), "there is no option epoch"),
        (("train", "bert", "--config", "rdrop.json"), "did you mean r_drop?"),
        (("train", "bert", "--output", "epoch.json"), "epoch.json is a file"),
        (("train", "bert", "header.csv"), "header.csv: no labelled review"),
        (("train", "bert", "one.csv", "--validation", "one.csv"), "no text is left to train on"),
        (
            ("train", "bert", "--validation", "one.csv"),
            "labels to calibrate on are of one category",
        ),
        (("train", "bert", "--validation", "header.csv"), "header.csv holds no labelled review"),
        (("train", "bert", "one.csv"), "of one category, clothing"),
        (("compare", "--family", "majority", "--output", "epoch.json"), "nothing can be written"),
        (("compare", "one.csv", "--test", "one.csv", "--test", "one.csv"), "the same name"),
        (("compare", "--what", "ablation", "--family", "bert", "--family", "lstm"), "one family"),
    ],
)
def test_a_mistake_is_answered_with_one_line_and_a_remedy(arguments, said, tmp_path):
    (tmp_path / "epoch.json").write_text('{"epoch": 3}')
    (tmp_path / "rdrop.json").write_text('{"tricks": {"rdrop": 1.0}}')
    (tmp_path / "header.csv").write_text("text,category\n")
    (tmp_path / "one.csv").write_text("text,category\nплатье,clothing\n", encoding="utf-8")
    ran = reviews(*arguments, cwd=tmp_path)
    assert ran.returncode != 0
    assert said in ran.stderr
    assert "try:" in ran.stderr
    assert "Traceback" not in ran.stderr
