"""A mistake in the settings is told with where it stands and the name that was meant."""

from pathlib import Path

import pytest

from stream.errors import ConfigError
from stream.settings import CONFIG_VARIABLE, load_settings


def told(monkeypatch, *, toml="", tmp_path=None, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if toml:
        file = tmp_path / "shop.toml"
        file.write_text(toml, encoding="utf-8")
        monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    with pytest.raises(ConfigError) as failed:
        load_settings()
    return str(failed.value), failed.value.remedy


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("REVIEWS_WORKER__BATCHROWS", "REVIEWS_WORKER__BATCH_ROWS"),
        ("REVIEWS_WORKR__GROUP", "REVIEWS_WORKER__GROUP"),
        ("REVIEWS_KAFKA__BOOTSTRAP_SERVER", "REVIEWS_KAFKA__BOOTSTRAP_SERVERS"),
        ("REVIEWS_WORKER__SASL_PASSWORD", "REVIEWS_KAFKA__SASL_PASSWORD"),
    ],
)
def test_a_variable_that_is_none_is_named_with_the_nearest(monkeypatch, typed, meant):
    message, remedy = told(monkeypatch, **{typed: "5"})
    assert typed in message
    assert "there is no such setting" in message
    assert f"did you mean {meant}?" in remedy


@pytest.mark.parametrize("written", ["a.csv, b.csv", '["a.csv", "b.csv"]'])
def test_a_list_is_parted_by_commas_or_is_json(monkeypatch, written):
    monkeypatch.setenv("REVIEWS_LEARNING__FROZEN", written)
    monkeypatch.setenv("REVIEWS_MONITOR__ALERT_LAG", "5,3")
    monkeypatch.setenv("REVIEWS_PRIVACY__REDACT_KINDS", "email,phone")
    settings = load_settings()
    assert settings.learning.frozen == (Path("a.csv"), Path("b.csv"))
    assert settings.monitor.alert_lag == (5, 3)
    assert settings.privacy.redact_kinds == ("email", "phone")


def test_a_list_that_is_none_is_named_with_its_variable(monkeypatch):
    message, _ = told(
        monkeypatch, REVIEWS_LEARNING__FROZEN='["a.csv', REVIEWS_PRIVACY__REDACT_KINDS="mail"
    )
    assert "learning.frozen (from REVIEWS_LEARNING__FROZEN): " in message
    assert "a list is written with commas, or as JSON" in message
    assert "(from REVIEWS_PRIVACY__REDACT_KINDS): " in message


def test_a_variable_that_is_like_none_is_named_alone(monkeypatch):
    message, remedy = told(monkeypatch, REVIEWS_XYZZY__QQQQ="5")
    assert "REVIEWS_XYZZY__QQQQ" in message
    assert "did you mean" not in remedy


def test_a_setting_of_the_file_is_named_with_the_file(monkeypatch, tmp_path):
    message, remedy = told(
        monkeypatch, toml="[worker]\nbatch_row = 3\n[kafak]\nx = 1\n", tmp_path=tmp_path
    )
    assert f"worker.batch_row (from {tmp_path / 'shop.toml'}): there is no such" in message
    assert "kafak (from" in message
    assert "worker.batch_rows and kafka" in remedy


def test_a_wrong_value_is_named_with_its_variable_and_never_shown(monkeypatch):
    message, _ = told(
        monkeypatch, REVIEWS_WORKER__BATCH_ROWS="many", REVIEWS_CACHE__URL="pass:word"
    )
    assert (
        "worker.batch_rows (from REVIEWS_WORKER__BATCH_ROWS): Input should be a valid integer"
        in message
    )
    assert "REVIEWS_CACHE__URL" in message
    assert "pass:word" not in message


def test_a_variable_that_kubernetes_makes_for_a_service_is_none_of_ours(monkeypatch):
    monkeypatch.setenv("REVIEWS_QUEUE_PORT", "tcp://10.0.0.1:8400")
    monkeypatch.setenv("REVIEWS_SERVICE_HOST", "10.0.0.1")
    assert load_settings().queue.port == 8400


@pytest.mark.parametrize(
    "variable",
    [
        ("REVIEWS_MONITOR__ALERT_LAG", "[NaN, NaN]"),  # no lag would ever reach it
        ("REVIEWS_MONITOR__ALERT_HOLD_SECONDS", "inf"),
        ("REVIEWS_WORKER__DRAIN_TIMEOUT", "inf"),
        ("REVIEWS_AUDIT__SHARE", "nan"),
    ],
    ids="=".join,
)
def test_a_number_without_end_is_refused(monkeypatch, variable):
    message, _ = told(monkeypatch, **dict([variable]))
    assert variable[0] in message
    assert "finite number" in message


def test_lists_in_lists_without_end_are_a_mistake_and_no_crash(monkeypatch, tmp_path):
    deep = "[" * 20_000
    message, remedy = told(monkeypatch, toml=f"a = {deep}", tmp_path=tmp_path)
    assert "lists in lists" in message
    assert "shop.toml" in remedy
    monkeypatch.delenv(CONFIG_VARIABLE)
    assert "lists in lists" in told(monkeypatch, REVIEWS_MODEL__TRUSTED_KEYS=deep)[0]
