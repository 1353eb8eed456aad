"""Whatever the guides tell people to type is typed in as it stands, or stands here with a reason."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.kafka.lag import worker_lag
from stream.settings import load_settings
from tests.support.command_line import environment, reviews, running, wait_for_line
from tests.support.optional_programs import absent
from tests.support.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
SECONDS = 120
_BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
_COMMENT = re.compile(r"\s+#.*")
# These are typed in block by block below.
WHOLE = {"producers.md", "files.md", "consumers.md"}
OTHERS = [
    ROOT / "README.md",
    *(path for path in sorted(DOCS.glob("*.md")) if path.name not in WHOLE),
]

# Typed in below, in this order, in a folder with files of these names.
TYPED = (
    "reviews topics create",
    "reviews topics update --dry-run",
    "reviews topics update",
    "reviews doctor",
    "reviews produce reviews.csv",
    'echo "Платье село после первой стирки" | reviews produce -',
    "reviews backfill --from 2026-11-20 --to-topic-suffix model-7 --model models/7 --dry-run",
    "reviews backfill --from 2026-11-20 --to-topic-suffix model-7 --model models/7",
    "REVIEWS_TOPICS__OUTPUT_SUFFIX=.model-7 reviews consume --drain",
    "reviews consume --drain --json",
    "reviews consume --dead-letter --drain",
    "reviews replay --dead-letter",
    "reviews classify reviews.csv --output decided.jsonl",
    "reviews classify new.csv --model build/model -o out.jsonl",
    "reviews queue export --format csv > labels.csv",
    "reviews acl worker",
    "reviews erase 42 --dry-run",
    "reviews erase 42",
    "reviews queue add-user anna",
    "reviews queue users",
    "reviews queue assign anna --category kids",
    "reviews queue token anna",
    "reviews queue tokens anna",
    "reviews queue sign-out anna",
    "reviews queue import annotated.json --as anna",
    "reviews guard",
    "reviews guard --history",
    "reviews --show-completion bash",
    "promtool test rules deploy/prometheus/rules_test.yml",
)
# Started, seen to say this, and stopped with Ctrl-C.
SERVERS = {
    "reviews work": "worker_started",
    "reviews monitor": "open once",
    "reviews queue": "http://",
}
# Not typed in here, and why.
ELSEWHERE = {
    r"make .*": "tests/unit/cli/test_makefile.py; the tests and demo are themselves what make runs",
    r"(docker compose|docker build|kubectl) .*": "no engine, no cluster: tests/unit/deploy",
    r"for name in KAFKA:.*|image=.*|echo .*imagetools.*|done >> .env": "asks an image registry",
    r"export .*": "values of one's own; tests/integration/test_security.py connects with them",
    r"reviews (up|down|demo).*": "tests/integration/test_cli_demo.py, with folders of its own",
    r"reviews consume footwear accessories": "goes on for ever; typed in with --drain below",
    r"reviews (label|train|retrain|pretrain|compare|calibrate|evaluate)\b.*|python -m (training|tests\.bench)\..*": "minutes of "
    "training: test_cli_train.py, test_cli_label.py, test_registry_retrain_command.py",
    r"reviews relabel-auto": "an ensemble that was fitted: test_relabeller.py",
    r"reviews guard release .*": "a category that is held: test_guard.py",
    r"reviews quality.*": "audits that people decided: test_audit.py",
    r"reviews taxonomy .*|reviews classify test.csv .*|reviews produce test.csv|reviews consume card_arrival": "a "
    "taxonomy of one's own: test_own_categories.py",
    r"reviews model .*": "a registry of trained models: test_registry_retrain_command.py",
    r"reviews (bench|tune)\b.*": "minutes of measuring: tests/unit/bench, and make bench itself",
    r"reviews queue (export )?--prefix check .*": "a sample of its own: test_label_in_queue.py",
    r"reviews queue revoke-token anna ID": "the id is another each time: test_token_commands.py",
    r"reviews queue rebuild|curl .*": "a queue at work: test_queue_rebuild.py, test_queue_api.py",
    r"reviews --install-completion.*": "writes into a person's shell settings",
    r"kafka-configs.sh .*": "Kafka's own program",
    r"kcat .*": "typed in below where kcat is",
    r"pip .*": "changes what is installed",
    r"REVIEWS_MODEL__FOLDER=build/model reviews work": "needs a model that was trained before",
}

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


def blocks(guide):
    return _BLOCK.findall((DOCS / guide).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def variables(kafka, tmp_path_factory):
    """Where the guides' commands find Kafka, a model and no cache. Topics have the default names."""
    folder = tmp_path_factory.mktemp("guides") / "model"
    write_tiny_model(folder)
    found = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_MODEL__FOLDER": str(folder),
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_HTTP__PORT": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    assert reviews("topics", "create", **found).returncode == 0
    return found


def type_in(language, block, variables):
    if "kcat" in block and shutil.which("kcat") is None:
        pytest.skip(absent("kcat"))
    command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*command, block],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=ROOT,
        env=environment(**variables),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("language", "block"), [*blocks("producers.md"), *blocks("files.md")])
def test_what_the_guides_for_senders_show_works(language, block, variables):
    type_in(language, block, variables)


@pytest.mark.parametrize(("language", "block"), blocks("consumers.md"))
def test_what_the_consumers_guide_shows_finds_what_producers_sent(language, block, variables):
    sent = reviews("produce", "-", stdin="сапоги жмут\nплатье село\nтут непонятно\n", **variables)
    assert sent.returncode == 0, sent.stderr
    with running("work", **variables) as worker:
        wait_for_line(worker, "worker_started")
        asyncio.run(all_is_decided(variables["REVIEWS_KAFKA__BOOTSTRAP_SERVERS"]))
        categories = ("--limit", "2"), ("--relabel", "--limit", "1")
        assert all(reviews("consume", *limit, **variables).returncode == 0 for limit in categories)
    assert "сапоги" in type_in(language, block, variables)


async def all_is_decided(kafka):
    """Wait until the worker's group has committed all that is on the incoming topic."""
    settings = load_settings(kafka={"bootstrap_servers": kafka})
    async with asyncio.timeout(SECONDS):
        while any(partition.lag for partition in await worker_lag(settings)):  # noqa: ASYNC110 - as `reviews doctor` asks
            await asyncio.sleep(0.2)


def commands():
    """Yield every command line of the other guides."""
    for guide in OTHERS:
        for language, block in _BLOCK.findall(guide.read_text(encoding="utf-8")):
            if language == "sh":
                for line in block.replace("\\\n", " ").splitlines():
                    if command := _COMMENT.sub("", line).strip():
                        yield pytest.param(command, id=f"{guide.name}: {command[:60]}")


@pytest.mark.parametrize("command", list(commands()))
def test_every_other_command_is_typed_in_or_has_a_reason(command):
    explained = any(re.fullmatch(pattern, command) for pattern in ELSEWHERE)
    assert command in TYPED or command in SERVERS or explained


@pytest.fixture(scope="module")
def desk(variables, stack, tmp_path_factory):
    """A folder with the files that the guides name, and settings to work there."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "reviews.csv").write_text("id,text\n42,сапоги жмут\n43,тут непонятно\n")
    shutil.copy(folder / "reviews.csv", folder / "new.csv")
    for model in ("models/7", "build/model"):
        (folder / model).parent.mkdir()
        write_tiny_model(folder / model)
    (folder / "deploy").symlink_to(ROOT / "deploy")
    (folder / "annotated.json").write_text("[]")
    found = {
        **variables,
        "REVIEWS_TOPICS__PREFIX": "desk",
        "REVIEWS_MONITOR__PORT": "0",
        "REVIEWS_QUEUE__PORT": "0",
        "REVIEWS_QUEUE__REDIS_URL": stack.redis_url,
    }
    assert reviews("topics", "create", **found).returncode == 0
    return folder, found


def test_the_operators_commands_work_one_after_the_other(desk):
    folder, variables = desk
    for command in TYPED:
        if command.startswith("promtool") and shutil.which("promtool") is None:
            continue
        done = subprocess.run(
            # The last line keeps bash from becoming the command: completion asks which shell calls.
            ["bash", "-euo", "pipefail", "-c", f"{command}\n:"],
            input="a password of the test\n",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=folder,
            env=environment(**variables),
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.parametrize(("command", "says"), SERVERS.items())
def test_a_server_starts_and_ends_with_ctrl_c(command, says, desk, monkeypatch):
    folder, variables = desk
    monkeypatch.chdir(folder)
    with running(*command.split()[1:], **variables) as server:
        wait_for_line(server, says)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=SECONDS)
    assert server.returncode in {0, 130}
