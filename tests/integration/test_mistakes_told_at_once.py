"""A wrong name, file or category is told before torch is loaded: in a second, not in half a minute."""

import json
import subprocess
import sys

import pytest

from tests.support.command_line import environment

HEAVY = ("torch", "transformers", "sklearn")
# Runs each command in a process of its own that has loaded the command line already, and those modules of
# ours that commands before it needed. Where one loads something heavy, that is seen in the first to need it.
RUN = """
import importlib, json, os, sys
from typer.testing import CliRunner
from stream.cli.app import add_plugins, app
add_plugins(app)
heavy = json.loads(sys.argv[2])
for arguments in json.loads(sys.argv[1]):
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with open(reading) as child:
            found = json.loads(child.read())
        os.wait()
        ours = found.pop("ours")
        print(json.dumps(found), flush=True)
        if not found["loaded"]:
            for name in ours:
                importlib.import_module(name)
        continue
    ran = CliRunner().invoke(app, arguments)
    said = getattr(ran.exception, "message", "") or ran.output
    loaded = [name for name in heavy if name in sys.modules]
    ours = [name for name in sys.modules if name.startswith(("stream.", "training."))]
    with open(writing, "w") as parent:
        json.dump({"code": ran.exit_code, "said": said, "loaded": loaded, "ours": ours}, parent)
    os._exit(0)
"""
MISTAKES = [
    (("train", "bret", "labels.csv"), "there is no family 'bret'"),
    (("train", "bert", "labls.csv"), "there is no file labls.csv"),
    (("train", "bert", "slip.csv"), "no known category in 'footwaer'"),
    (("train", "bert", "labels.csv", "--validation", "slip.csv"), "no known category"),
    (("train", "bert", "guesses.jsonl"), "none of the 2 labels can be trusted"),
    (("train", "bert", "labels.csv", "--teacher", "bret"), "there is no family 'bret'"),
    (("train", "bert", "labels.csv", "--output", "labels.csv"), "labels.csv is a file"),
    (("train", "bert", "labels.csv", "--encoder", "nowhere"), "nowhere"),
    (("compare", "labels.csv", "--family", "bret"), "there is no family 'bret'"),
    (("compare", "labls.csv"), "there is no file labls.csv"),
    (("compare", "labels.csv", "--test", "slip.csv"), "no known category"),
    (("compare", "labels.csv", "--test", "guesses.jsonl"), "programs guessed"),
    (("compare", "labels.csv", "--output", "mine"), "holds no report of this command"),
    (("pretrain", "revews.csv"), "there is no file revews.csv"),
    (("retrain", "--family", "bret"), "there is no family 'bret'"),
    (("label", "run", "revews.csv"), "there is no file revews.csv"),
    (("label", "run", "reviews.csv", "--keep", "footwaer"), "footwaer"),
    (("label", "run", "reviews.csv", "--validated", "slip.csv"), "no known category"),
    (("label", "run", "reviews.csv", "--validated", "guesses.jsonl"), "programs guessed"),
    (
        ("label", "run", "reviews.csv", "--recorded", "votes.jsonl:m"),
        "there is no file votes.jsonl",
    ),
    (("label", "run", "reviews.csv", "--recorded", "votes"), "is not FILE:MODEL"),
    (("label", "run", "reviews.csv", "--output", "labels.csv"), "is there already"),
    (("label", "run", "reviews.csv", "--save-ensemble"), "--validated has 0"),
    (("label", "nli", "labls.csv"), "there is no file labls.csv"),
    (("label", "augment", "labls.csv"), "there is no file labls.csv"),
    (("classify", "revews.csv", "-o", "out.jsonl"), "revews.csv"),
    (("classify", "reviews.csv", "-o", "labels.csv"), "is there already"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "labels.csv").write_text("text,category\nсапоги,footwear\nюбка,clothing\n", "utf-8")
    (folder / "slip.csv").write_text("text,category\nсапоги,footwaer\n", "utf-8")
    (folder / "reviews.csv").write_text("id,text\n1,сапоги\n", "utf-8")
    guess = {"category": "footwear", "decided_by": "agreement"}
    rows = [{"id": f"r{i}", "text": f"сапоги {i}", **guess} for i in range(2)]
    rows[1]["category"] = "clothing"
    (folder / "guesses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "mine").mkdir()
    (folder / "mine" / "index.html").write_text("my page", "utf-8")
    commands = json.dumps([list(arguments) for arguments, _ in MISTAKES])
    done = subprocess.run(
        [sys.executable, "-c", RUN, commands, json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=300,
        env=environment(),
    )
    assert (folder / "mine" / "index.html").read_text("utf-8") == "my page"
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[" ".join(m[0]) for m in MISTAKES])
def test_it_is_told_without_torch(number, told):
    arguments, words = MISTAKES[number]
    found = told[number]
    assert words in found["said"], arguments
    assert found["code"] != 0
    assert found["loaded"] == [], arguments
