"""`reviews retrain` as a person runs it: real labels on Kafka, a real training with torch."""

import json
import signal
from pathlib import Path

import pytest
import torch

from schemas import Label, TopicNames, all_categories, encode
from stream.kafka.topic_creation import create_topics
from tests.support.command_line import reviews, running
from tests.support.pipeline import pipeline_settings, send
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.encoders.encoder import Shape, new_encoder
from training.encoders.vocabulary import learn_tokenizer
from training.registry.store import Registry

pytestmark = pytest.mark.kafka

ENDS = ("хороший товар", "плохо", "нормально", "не понравилось", "супер", "так себе")


def label(keyword, category, end):
    text = f"{keyword} {end}"
    return Label(
        review_id=text,
        text=text,
        category=category,
        decided_by="person",
        labeller="anna",
        codebook_version="1",
    )


LABELS = [
    label(word, category, end)
    for word, category in zip(KEYWORDS, all_categories(), strict=True)
    for end in ENDS
]


def training_options(folder):
    """Write options of a training of seconds on a base checkpoint made here."""
    torch.manual_seed(0)
    tokenizer = learn_tokenizer([x.text for x in LABELS], KEYWORDS, (), 60)
    new_encoder(tokenizer, Shape(2, 32, 2, 64, 32)).save(folder / "encoder")
    options = {
        "encoder": str(folder / "encoder"),
        "epochs": 8,
        "batch_size": 9,
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
        "max_length": 16,
        "folds": 2,
        "dropout": 0.0,
        "threads": 1,
        "device": "cpu",
        "precision": 0.8,
    }
    (folder / "options.json").write_text(json.dumps(options))
    return folder / "options.json"


def compared_on(folder):
    """Write texts that were not decided: the keywords, said otherwise."""
    ends = ("товар так себе", "плохо нормально", "супер товар") * 4
    rows = [
        {"text": f"{word} {end}", "category": category.slug}
        for word, category in zip(KEYWORDS, all_categories(), strict=True)
        for end in ends
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "frozen.jsonl").write_text(lines, encoding="utf-8")
    return folder / "frozen.jsonl"


@pytest.fixture
async def command(kafka, topic_prefix, tmp_path):
    """Decisions on the topic, a model that takes boots for dresses, and the command to run."""
    topics = TopicNames(topic_prefix)
    await create_topics(pipeline_settings(kafka, topic_prefix))
    await send(kafka, topics.labels, [(x.review_id.encode(), encode(x)) for x in LABELS])
    write_tiny_model(tmp_path / "serving", sure_logit=1.0, mistakes={1: 2})
    frozen = compared_on(tmp_path)
    where = ("-b", kafka, "-p", topic_prefix, "--registry", str(tmp_path / "registry"))
    with_files = ("--no-base", "--frozen", str(frozen), "--json")

    variables = {
        "REVIEWS_MODEL__FOLDER": str(tmp_path / "serving"),
        "REVIEWS_GATE__CANARIES": str(frozen),
        # A toy is compared with a lookup table: no size and no time would be fair.
        "REVIEWS_GATE__LARGER": "1e6",
        "REVIEWS_GATE__SLOWER": "1e6",
        "REVIEWS_LEARNING__RUNS": str(tmp_path / "runs"),
    }

    def run(*more, start=reviews):
        return start("retrain", *where, *with_files, *more, **variables)

    return run


def test_a_dry_run_says_what_it_would_learn_from_and_changes_nothing(command, tmp_path):
    done = command("--dry-run")
    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert said["lineage"]["labels"]["decided_by"] == {"person": len(LABELS)}
    assert said["number"] is None
    assert not (tmp_path / "registry").exists()


def test_a_training_on_decisions_ends_in_the_registry_with_the_gate_s_word(command, tmp_path):
    done = command("--config", str(training_options(tmp_path)))
    said = json.loads(done.stdout or "{}")
    assert said, done.stderr
    registry = Registry(tmp_path / "registry")
    state = registry.state()
    assert done.returncode == (0 if said["promoted"] else 1)
    assert state.champion == (2 if said["promoted"] else 1), said["reasons"]
    assert registry.resolve(2).family == "bert"
    assert Path(said["report"]).is_file()
    assert said["reasons"]
    again = command("--config", str(tmp_path / "options.json"))
    assert again.returncode == 1
    assert "exactly these" in again.stderr


def test_watching_retrains_once_enough_was_decided_and_goes_on_watching(command):
    enough = ("--watch", "--min-new", str(len(LABELS)), "--dry-run")
    with command(*enough, start=running) as process:
        said = "".join(iter(process.stdout.readline, "}\n"))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert json.loads(said + "}")["lineage"]["labels"]["reviews"] == len(LABELS)


def test_watching_waits_while_too_little_was_decided(command):
    too_much = ("--watch", "--min-new", str(len(LABELS) + 1), "--dry-run")
    with command(*too_much, start=running) as process:
        assert "waiting for" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stdout.read() == ""
