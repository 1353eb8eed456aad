"""What holds for every command; nearly all run as a person runs them, in processes of their own."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from stream.cli.app import app
from stream.cli.extras import missing_extra
from stream.terminal import one_line
from tests.support.command_line import assert_one_clear_line
from tests.support.command_line import reviews as run_reviews

pytestmark = pytest.mark.slow

NOWHERE = "127.0.0.1:1"  # no broker listens on port 1


def reviews(*arguments, stdin=None, **variables):
    variables = {"REVIEWS_KAFKA__BOOTSTRAP_SERVERS": NOWHERE, **variables}
    return run_reviews(*arguments, stdin=stdin, **variables)


def test_help_names_every_command_of_the_online_half():
    shown = reviews("--help").stdout
    commands = "demo up down status doctor topics produce work consume classify replay config"
    assert all(f" {command} " in shown for command in commands.split())


@pytest.mark.parametrize(
    "command", [c.name or c.callback.__name__ for c in app.registered_commands]
)
def test_every_command_explains_itself(command):
    # In this process: twenty of their own would explain no more in twelve seconds.
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; import stream.cli.app; "
        "print([m for m in ('aiokafka', 'onnxruntime', 'numpy', 'torch', 'pydantic_settings', "
        "'stream.files') "
        "if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics", "create"],
        ["topics", "describe"],
        ["consume", "--drain"],
        ["consume", "--relabel", "--drain"],
        ["replay", "--dead-letter"],
        ["produce", "-"],
    ],
    ids=" ".join,
)
def test_without_a_broker_there_is_one_clear_line(arguments):
    result = reviews(*arguments, stdin="чайник\n")
    assert_one_clear_line(result, 4, "no Kafka broker answers at 127.0.0.1:1", "reviews up")


def test_without_a_model_folder_there_is_one_clear_line(tmp_path):
    absent = str(tmp_path / "absent")
    result = reviews("work", "--model", absent)
    assert_one_clear_line(result, 3, "no model folder", "absent")


def test_classify_without_a_model_writes_no_output(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,text\n1,чайник\n", encoding="utf-8")
    output = tmp_path / "out.jsonl"
    result = reviews(
        "classify", str(source), "--output", str(output), "--model", str(tmp_path / "absent")
    )
    assert_one_clear_line(result, 3, "no model folder")
    assert not output.exists()


def test_an_absent_file_is_said_before_a_broker_is_asked():
    assert_one_clear_line(reviews("produce", "absent.csv"), 2, "no file absent.csv")


def test_an_unknown_category_lists_all():
    assert_one_clear_line(reviews("consume", "shoes", "--drain"), 2, "shoes", "footwear")


def test_a_wrong_setting_is_named():
    result = reviews("config", REVIEWS_WORKER__BATCH_ROWS="many")
    assert_one_clear_line(result, 2, "worker.batch_rows")


def test_an_absent_settings_file_is_named(tmp_path):
    result = reviews("config", REVIEWS_CONFIG=str(tmp_path / "absent.toml"))
    assert_one_clear_line(result, 2, "REVIEWS_CONFIG")


def test_a_missing_extra_prints_the_line_that_installs_it():
    error = missing_extra(ModuleNotFoundError("No module named 'torch'", name="torch.nn"))
    assert error is not None
    assert error.remedy == "pip install 'reviews-stream[train]'"


def test_a_module_of_no_extra_is_left_to_be_a_bug():
    assert missing_extra(ModuleNotFoundError("No module named 'x'", name="x")) is None


def test_config_shows_where_a_value_comes_from():
    result = reviews("config", "--json", REVIEWS_TOPICS__PREFIX="shop")
    found = {setting["name"]: setting for setting in json.loads(result.stdout)}
    assert found["topics.prefix"]["value"] == "shop"
    assert found["topics.prefix"]["origin"] == "environment"
    assert found["topics.partitions"]["origin"] == "default"


def test_config_reads_the_file_and_says_so(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[topics]\nprefix = "shop"\n', encoding="utf-8")
    result = reviews("config", "--changed", "--json", REVIEWS_CONFIG=str(file))
    found = {setting["name"]: setting for setting in json.loads(result.stdout)}
    assert found["topics.prefix"]["origin"] == str(file)


def test_config_shows_no_secret():
    result = reviews(
        "config",
        REVIEWS_KAFKA__SASL_PASSWORD="hunter2",
        REVIEWS_CACHE__URL="redis://user:hunter2@cache:6379/0",
    )
    assert "hunter2" not in result.stdout + result.stderr
    assert "cache:6379" in result.stdout


def test_the_settings_reference_names_every_variable():
    shown = reviews("config", "--reference").stdout
    listed = json.loads(reviews("config", "--json").stdout)
    assert all(f"`{setting['variable']}`" in shown for setting in listed)


def test_doctor_without_anything_names_each_remedy_and_fails():
    result = reviews("doctor", "--json", REVIEWS_CACHE__URL="redis://127.0.0.1:1/0")
    found = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == found["kafka"]["exit_code"] == 4
    assert found["kafka"]["state"] == "failed"
    assert found["redis"]["state"] == "warning"
    assert found["kafka"]["remedy"]
    assert found["guard"]["state"] == "skipped"


def test_doctor_warns_where_whoever_writes_the_topic_holds_and_releases():
    result = reviews("doctor", "--json", REVIEWS_GUARD__MODE="hold")
    (found,) = [one for one in json.loads(result.stdout) if one["name"] == "guard"]
    assert found["state"] == "warning"
    assert "REVIEWS_GUARD__KEY" in found["remedy"]


def test_dry_run_counts_and_sends_nothing():
    result = reviews("produce", "-", "--dry-run", "--json", stdin="чайник\nутюг\n")
    report = json.loads(result.stdout)
    assert (report["valid"], report["sent"], result.returncode) == (2, 0, 0)


def test_a_bad_row_is_named_and_makes_the_exit_code_one():
    result = reviews("produce", "-", "--dry-run", stdin='{"text": "чайник"}\n{"id": 2}\n')
    assert result.returncode == 1
    assert "line 2" in result.stderr


def test_replay_wants_to_be_told_what():
    assert reviews("replay").returncode == 2


def test_a_full_disk_is_one_clear_line():
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device, not a path of ours
        result = subprocess.run(
            [sys.executable, "-m", "stream", "config", "--reference"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert_one_clear_line(result, 8, "no space is left")


def test_a_reader_that_goes_away_is_no_traceback():
    command = f"{sys.executable} -m stream config --reference | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    assert result.stdout == "# Settings\n"


def waiting_at_a_silent_broker(*command):
    """Run a command, send it Ctrl-C while it waits for an answer; return its status and what it said."""
    with socket.create_server(("127.0.0.1", 0)) as silent_broker:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream", *command],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{silent_broker.getsockname()[1]}",
            },
        )
        connection, _ = silent_broker.accept()  # now it waits for an answer that never comes
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        connection.close()
    return process.returncode, said


INTERRUPTED = """
import signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.{handler})
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["config", "--json"]
from stream.cli import main
main()
"""


def interrupted_at(module, handler="default_int_handler"):
    """Run a command that gets Ctrl-C when it begins to load a module."""
    code = INTERRUPTED.format(module=module, handler=handler)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("module", ["typer", "schemas.events", "training.cli"])
def test_ctrl_c_while_the_command_line_is_loaded_ends_it_quietly(module):
    result = interrupted_at(module)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_where_ctrl_c_is_ignored_loading_goes_on():
    result = interrupted_at("typer", "SIG_IGN")
    assert result.returncode == 0, result.stderr


def test_ctrl_c_is_130_without_a_traceback():
    status, said = waiting_at_a_silent_broker("produce", "-")
    assert status == 130
    assert "Traceback" not in said
    assert "nothing was sent" in said


def test_a_worker_whose_broker_says_nothing_can_be_stopped():
    status, said = waiting_at_a_silent_broker("work", "--port", "0")
    assert status == 130, said  # 4, once it had waited in vain
    assert "Traceback" not in said


def test_a_strangers_text_cannot_drive_the_terminal():
    assert one_line("a\x1b[31mb\r\nc\u202ed") == "a [31mb c d"
