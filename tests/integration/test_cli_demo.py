"""`reviews demo` and `reviews up`: what starts stops again, whatever happens."""

import json
import re
import signal
import socket
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.command_line import assert_one_clear_line, reviews, running, wait_for_line
from tests.support.tiny_model import KEYWORDS, write_tiny_model

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

REAL_REVIEWS = Path(__file__).parents[3] / "shared" / "data" / "reviews.csv"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_tiny_model(folder)
    return {"REVIEWS_MODEL__FOLDER": str(folder)}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    texts = [*(f"{word} {i}" for i, word in enumerate(KEYWORDS)), "непонятно"]
    lines = [json.dumps({"review_id": str(i), "text": text}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def processes_of(folder):
    """Return every process that has the folder in its command line or as working directory."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != psutil.Process().pid and any(str(folder) in word for word in words):
            found.append(process)
    return found


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_a_first_and_a_second_run_end_well_and_leave_nothing_running(model, source, tmp_path):
    data = tmp_path / "data"
    first = reviews("demo", "--input", str(source), "--data-dir", str(data), **model)
    second = reviews("demo", "--input", str(source), "--data-dir", str(data), **model)
    for result in (first, second):
        assert result.returncode == 0, result.stderr
        assert f"{len(KEYWORDS) + 1} reviews in" in result.stdout
        assert "none lost, none twice" in result.stdout
        assert "10.0% to relabel" in result.stdout
        assert "одежда" in result.stdout
        assert "next:" in result.stderr
    assert " 0.0% answered from the cache" in first.stdout
    assert "100.0% answered from the cache" in second.stdout
    assert processes_of(data) == []
    for port in re.findall(r"127\.0\.0\.1:(\d+)", second.stdout):
        if port != "9400":  # where a worker of one's own would serve metrics
            assert not listens(port)
    lines = (data / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["review_id"] for line in lines} == {str(i) for i in range(10)}


def test_keep_serves_a_live_page_until_ctrl_c(model, source, kafka, tmp_path):
    variables = {"REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka, "REVIEWS_CACHE__URL": "", **model}
    data = tmp_path / "data"
    with running("demo", "-i", str(source), "--data-dir", str(data), "--keep", **variables) as demo:
        page = re.search(r"http://\S+(?=#|/)", wait_for_line(demo, "open once")).group()
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert b'id="board"' in answer.read()
        demo.send_signal(signal.SIGINT)
        said = demo.communicate(timeout=60)
    assert demo.returncode == 0, said
    assert "none lost, none twice" in said[0]
    assert processes_of(data) == []


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_demo_leaves_no_orphan(model, source, tmp_path, number):
    data = tmp_path / "data"
    once = source.read_text(encoding="utf-8")
    source.write_text("\n".join([once] * 30_000), encoding="utf-8")  # not over before the signal
    with running("demo", "-i", str(source), "--data-dir", str(data), **model) as demo:
        for line in demo.stdout:
            if "worker is ready" in line:
                break
        started = processes_of(data) + psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        demo.wait(60)
        said = demo.stderr.read()
    assert started
    assert psutil.wait_procs(started, timeout=60)[1] == []
    if number == signal.SIGINT:
        assert demo.returncode == 130
        assert "Traceback" not in said


def test_what_up_starts_stays_until_down(model, source, tmp_path):
    data = str(tmp_path / "data")
    ports = ("--kafka-port", "0")
    try:
        up = reviews("up", "--data-dir", data, "--json", *ports)
        assert up.returncode == 0, up.stderr
        found = json.loads(up.stdout)
        server = found["bootstrap_servers"]
        again = json.loads(reviews("up", "--data-dir", data, "--json", *ports).stdout)
        assert [s["pid"] for s in again["servers"]] == [s["pid"] for s in found["servers"]]
        assert again["redis_url"] == found["redis_url"]
        assert reviews("status", "--data-dir", data).returncode == 0
        demo = reviews("demo", "-i", str(source), "--data-dir", data, **model)
        assert f"Kafka on {server}" in demo.stdout
        prefix = re.search(r"demo-\d{8}-\d{6}", demo.stdout).group()
        events = reviews("consume", "kids", "--drain", "--json", "-p", prefix, "-b", server)
        assert len(events.stdout.splitlines()) == 1
    finally:
        down = reviews("down", "--data-dir", data)
    assert down.returncode == 0
    assert processes_of(data) == []
    assert reviews("status", "--data-dir", data).returncode == 1


def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = reviews("up", "--data-dir", str(tmp_path), "--kafka-port", port)
    assert_one_clear_line(result, 6, port, "taken")


def test_a_demo_whose_worker_cannot_start_says_why(source, kafka, tmp_path):
    result = reviews(
        "demo",
        "-i",
        str(source),
        "--data-dir",
        str(tmp_path / "data"),
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
        REVIEWS_MODEL__FOLDER=str(tmp_path / "absent"),
    )
    assert_one_clear_line(result, 1, "no model folder")


def test_a_demo_on_a_broker_of_ones_own_starts_none(model, source, kafka, tmp_path):
    data = tmp_path / "data"
    variables = {"REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka, "REVIEWS_CACHE__URL": "", **model}
    result = reviews("demo", "-i", str(source), "--data-dir", str(data), **variables)
    assert result.returncode == 0, result.stderr
    assert "none lost, none twice" in result.stdout
    assert not (data / "kafka").exists()


@pytest.mark.data
@pytest.mark.skipif(not REAL_REVIEWS.is_file(), reason="the real reviews are not in ../shared/data")
def test_every_real_review_comes_out_exactly_once(model, kafka, redis_url, tmp_path):
    variables = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_CACHE__URL": redis_url,
        **model,
    }
    result = reviews("demo", "-i", str(REAL_REVIEWS), "--data-dir", str(tmp_path), **variables)
    assert result.returncode == 1, "two rows hold no words"
    assert "6,623 reviews in, 6,623 out, none lost, none twice" in result.stdout
    assert "6,625 rows = 6,623 + 2" in result.stderr
