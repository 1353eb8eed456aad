"""Settings and messages are shown without what signs in."""

import pytest

from stream.credentials import hide_accounts, shown_address, shown_command
from stream.settings import KafkaSettings, LabelSettings, Settings, TracingSettings
from stream.settings.reference import settings_in_force


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://host:1/v1", "http://host:1/v1"),
        ("redis://me:sekret@host:6379/0", "redis://**********@host:6379/0"),
        ("redis://:sek/ret@host/0", "redis://**********@host/0"),
        ("https://host/v1?key=sekret#sekret", "https://host/v1"),
        ("unix://sekret@/run/redis.sock", "unix://**********@/run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_account_and_query(address, shown):
    assert shown_address(address) == shown


def test_of_a_command_its_program_is_shown():
    assert shown_command("get-token") == "get-token"
    assert shown_command("curl -u me:sekret https://id") == "curl **********"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "http://a:b@c failed, http://d:e@f too",
            "http://**********@c failed, http://**********@f too",
        ),
        ("see https://host/a and mail a@b", "see https://host/a and mail a@b"),
    ],
)
def test_a_sentence_is_shown_without_accounts(said, shown):
    assert hide_accounts(said) == shown


def test_no_setting_shows_what_signs_in():
    settings = Settings(
        kafka=KafkaSettings(sasl_oauth_token_command="TOKEN=sekret get-token --password sekret"),
        label=LabelSettings(llm_url="http://me:sekret@host:1/v1?key=sekret"),
        tracing=TracingSettings(endpoint="https://me:sekret@host/v1/traces"),
    )
    shown = {setting.name: setting.value for setting in settings_in_force(settings)}
    assert "sekret" not in " ".join(shown.values())
    assert shown["label.llm_url"] == "http://**********@host:1/v1"
