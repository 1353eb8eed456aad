"""The commands against a real broker: from a file to categories, and back from dead letters."""

import json
import signal
import socket

import pytest

from stream.errors import BrokerError
from stream.kafka.topic_creation import create_compacted
from stream.kafka.topics import list_topics
from tests.support.command_line import assert_one_clear_line, reviews, running, wait_for_line
from tests.support.pipeline import pipeline_settings, read_topic
from tests.support.taxonomies import both_taxonomies
from tests.support.tiny_model import keywords, write_tiny_model

pytestmark = pytest.mark.kafka

ROWS = """id,text
1,платье село
2,чайник течёт
3,непонятно что
4,сапоги жмут
"""


@pytest.fixture
def variables(kafka, topic_prefix, tmp_path, taxonomy):
    write_tiny_model(tmp_path / "model")
    return {
        "REVIEWS_TAXONOMY": str(taxonomy.folder),
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": topic_prefix,
        "REVIEWS_WORKER__GROUP": f"{topic_prefix}-workers",
        "REVIEWS_MODEL__FOLDER": str(tmp_path / "model"),
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_HTTP__PORT": "0",
    }


@pytest.fixture
def topics(variables):
    result = reviews("topics", "create", "--json", **variables)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def topics_prefix(variables):
    return variables["REVIEWS_TOPICS__PREFIX"]


def consumed(*arguments, count=None, **variables):
    limit = ["--limit", str(count)] if count else ["--drain"]
    result = reviews("consume", *arguments, *limit, "--json", **variables)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_from_a_file_to_categories_and_back_from_dead_letters(variables, topics, tmp_path):
    source = tmp_path / "reviews.csv"
    source.write_text(ROWS, encoding="utf-8")
    sent = reviews("produce", str(source), "--json", **variables)
    assert json.loads(sent.stdout)["sent"] == 4

    with running("work", **variables) as worker:
        decided = consumed(count=3, **variables)
        waiting = consumed("--relabel", count=1, **variables)
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert {(event["review"]["review_id"], event["category"]) for event in decided} == {
        ("1", "clothing"),
        ("2", "household-appliances"),
        ("4", "footwear"),
    }
    assert [task["review"]["review_id"] for task in waiting] == ["3"]

    def lines(*arguments):
        found = reviews("consume", "--drain", *arguments, **variables)
        assert found.returncode == 0, found.stderr
        return found.stdout.splitlines()

    assert sorted(lines("--columns", "id,slug,decided-by")) == [
        "1\tclothing\tmodel",
        "2\thousehold-appliances\tmodel",
        "4\tfootwear\tmodel",
    ]
    assert lines("--relabel", "--columns", "id,reason") == ["3\tlow-confidence"]
    assert lines("--key", "4", "--columns", "id,text") == ["4\tсапоги жмут"]
    assert len(lines("--since", "27.11.2020 10:15", "--columns", "id")) == 3
    assert lines("--since", "2099-01-01", "--columns", "id") == []
    (source,) = lines("--key", "4", "--columns", "source")
    message = json.loads(*lines("--at", source))
    assert (message["key"], json.loads(message["value"])["text"]) == ("4", "сапоги жмут")
    nowhere = reviews("consume", "--at", f"{topics_prefix(variables)}.incoming[0]@999", **variables)
    assert_one_clear_line(nowhere, 2, "nothing stands at", "offsets")

    only = consumed("--category", "footwear", "kids", **variables)
    assert [event["review"]["review_id"] for event in only] == ["4"]


@both_taxonomies
def test_pretty_output_shows_the_category_by_its_name_and_the_text(variables, topics, taxonomy):
    text = f"{keywords()[2]} село 5"
    reviews("produce", "-", stdin=f"{text}\n", **variables)
    with running("work", **variables):
        result = reviews("consume", "--limit", "1", **variables)
    assert taxonomy.infos[2].name(taxonomy.languages[0]) in result.stdout
    assert text in result.stdout


@pytest.mark.parametrize(
    ("line", "number", "status"),
    [
        ('{"id": "7", "text": "чайник течёт"}', signal.SIGINT, 130),
        ("чайник течёт", signal.SIGTERM, 143),
    ],
)
async def test_what_a_pipe_has_said_is_sent_while_it_says_no_more(
    variables, topics, line, number, status
):
    with running("produce", "-", **variables) as produce:
        produce.stdin.write(f"{line}\n")
        produce.stdin.flush()
        kafka = variables["REVIEWS_KAFKA__BOOTSTRAP_SERVERS"]
        (sent,) = await read_topic(kafka, f"{topics_prefix(variables)}.incoming", 1)
        assert json.loads(sent.value)["text"] == "чайник течёт"
        produce.send_signal(number)
        said = produce.stderr.read()
        assert produce.wait(60) == status, said
    assert "stopped: Kafka has 1 reviews" in said
    assert "Traceback" not in said


def test_replay_of_nothing_is_no_failure(variables, topics):
    result = reviews("replay", "--dead-letter", "--json", **variables)
    assert (result.returncode, json.loads(result.stdout)["replayed"]) == (0, 0)


def test_describe_shows_what_the_broker_has(variables, topics):
    result = reviews("topics", "describe", "--json", **variables)
    described = {topic["name"]: topic for topic in json.loads(result.stdout)}
    assert described.keys() == {topic["name"] for topic in topics}
    assert all(topic["exists"] for topic in described.values())


def test_creating_topics_twice_changes_nothing(variables, topics):
    result = reviews("topics", "create", "--json", **variables)
    assert {topic["outcome"] for topic in json.loads(result.stdout)} == {"exists"}


async def test_one_topic_that_is_refused_keeps_the_others_from_being_made(kafka, topic_prefix):
    settings = pipeline_settings(kafka, topic_prefix)
    with pytest.raises(BrokerError, match="no!") as raised:
        await create_compacted(settings, {f"{topic_prefix}.good": 1, f"{topic_prefix}.no!": 1})
    assert "may be repeated" in raised.value.remedy
    assert f"{topic_prefix}.good" not in await list_topics(settings.kafka)


def test_a_dry_run_creates_no_topic(variables):
    reviews("topics", "create", "--dry-run", **variables)
    result = reviews("topics", "describe", "--json", **variables)
    assert not any(topic["exists"] for topic in json.loads(result.stdout))


def test_doctor_is_content_when_all_is_there(variables, topics):
    result = reviews("doctor", "--json", **variables)
    states = {finding["name"]: finding["state"] for finding in json.loads(result.stdout)}
    assert result.returncode == 0
    assert "failed" not in states.values()
    assert states["topics"] == "ok"


def test_doctor_names_absent_topics_and_the_remedy(variables):
    result = reviews("doctor", **variables)
    assert result.returncode == 4
    assert "reviews topics create" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [["produce", "-"], ["consume", "--drain"], ["replay", "--dead-letter"], ["work"]],
    ids=" ".join,
)
def test_an_absent_topic_is_one_clear_line(variables, arguments):
    result = reviews(*arguments, stdin="чайник\n", **variables)
    assert_one_clear_line(result, 4, "reviews topics create")


def test_a_taken_port_is_one_clear_line(variables, topics):
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = reviews("work", "--port", str(other.getsockname()[1]), **variables)
    assert_one_clear_line(result, 6, "taken")


def test_a_damaged_model_is_one_clear_line(variables, topics, tmp_path):
    with (tmp_path / "model" / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert_one_clear_line(reviews("work", **variables), 3, "model.onnx", "damaged")


def test_ctrl_c_drains_the_worker_and_says_130(variables, topics):
    with running("work", **variables) as worker:
        wait_for_line(worker, "worker_started")
        worker.send_signal(signal.SIGINT)
        _, said = worker.communicate(timeout=60)
    assert worker.returncode == 130
    assert "SIGINT" in next(line for line in said.splitlines() if "worker_stopping" in line)
    assert "worker_stopped" in said
    assert "Traceback" not in said


def test_a_worker_can_end_with_its_parent(variables, topics):
    with running("work", "--stop-at-eof", **variables) as worker:
        wait_for_line(worker, "worker_started")
        worker.stdin.close()  # what the kernel does for a parent that was killed
        assert "worker_stopped" in wait_for_line(worker, "worker_stopped")
        assert worker.wait(60) == 0
