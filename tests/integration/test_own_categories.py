"""A stranger's file of labels becomes a running stream, by the guide alone."""

import csv
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import load_taxonomy, using
from stream.clients import CategoryConsumer
from stream.model.classifier import Classifier
from tests.support.pipeline import pipeline_settings, read_outputs, running_worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

GUIDE = Path(__file__).parents[2] / "deploy" / "docs" / "taxonomies.md"
# Questions of our own, with labels as programs write them.
SAID = {
    "card_arrival": ("my new card", "the card that i ordered", "a plastic card"),
    "Refund_not_showing_up": ("my refund", "money back from the shop", "the returned payment"),
    "other": ("the weather", "a song", "my homework"),
}
ASKED = ("where is {}", "i still wait for {}", "tell me about {}", "when do i get {}", "why no {}")


def questions(each, seed):
    chance = random.Random(seed)
    for label, things in SAID.items():
        for i in range(each):
            said = chance.choice(ASKED).format(chance.choice(things))
            yield f"{said} {chance.choice(('please', 'now', 'today', 'again'))} {i % 7}", label


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "category"))
        writer.writerows(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, kafka):
    """A folder in which the guide's first commands were typed in."""
    made = tmp_path_factory.mktemp("own")
    write(made / "train.csv", questions(60, 0))
    write(made / "test.csv", questions(10, 1))
    (block,) = re.findall(
        r"```sh\n(reviews taxonomy init.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    variables = {
        **os.environ,
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": "own",
        "REVIEWS_CACHE__URL": "",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    script = f"{block}\nreviews produce test.csv\n:"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=made,
        env=variables,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made / "said.txt").write_text(done.stdout + done.stderr)
    return made


def test_the_new_taxonomy_has_the_files_labels_and_knows_what_means_none(folder):
    taxonomy = load_taxonomy(folder / "bank")
    assert set(taxonomy.slugs) == {"card_arrival", "refund_not_showing_up", "other"}
    assert taxonomy.none == "other"
    assert taxonomy.slugs[-1] == "other"


def test_the_table_comes_back_with_categories_of_the_taxonomy(folder):
    with (folder / "decided.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = dict(questions(10, 1))
    assert len(rows) == 30
    wrong = [row for row in rows if labels[row["text"]].lower() not in row.values()]
    assert len(wrong) <= 3, wrong


async def test_the_stream_sorts_into_the_new_categories(folder, kafka):
    with using(load_taxonomy(folder / "bank")):
        settings = pipeline_settings(kafka, "own")
        model = Classifier.load(folder / "build" / "bank", device="cpu", threads=1)
        async with running_worker(settings, model):
            await read_outputs(kafka, settings.topic_names, 30)
        async with CategoryConsumer(["card_arrival"], settings=settings, follow=False) as events:
            found = [event.review.text async for event in events]
    assert found
    assert all("card" in text for text in found)
