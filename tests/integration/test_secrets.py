"""No secret is ever printed: commands run with recognisable ones, and all they say is searched."""

import signal
from contextlib import closing
from socket import socket

import pytest
from pydantic import SecretStr

from deploy.local import LocalRedis
from stream.demo.worker_process import free_port
from stream.settings import Settings
from tests.support.command_line import SECONDS, reviews, running, wait_for_line
from tests.support.secured import ADMIN, password_of, secured_broker
from tests.support.secured_servers import redis_acl
from tests.support.tiny_model import write_tiny_model

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

# Every secret setting with a value that no other output looks like.
SECRETS = {
    "REVIEWS_KAFKA__SASL_PASSWORD": "sekret-sasl-0a1b",
    "REVIEWS_KAFKA__SASL_OAUTH_TOKEN": "sekret-oauth-1c2d",
    "REVIEWS_KAFKA__SSL_KEY_PASSWORD": "sekret-key-2e3f",
    "REVIEWS_SCHEMA_REGISTRY__PASSWORD": "sekret-registry-8a9b",
    "REVIEWS_SCHEMA_REGISTRY__SSL_KEY_PASSWORD": "sekret-registry-key-0c1d",
    "REVIEWS_SCHEMA_REGISTRY__TOKEN": "sekret-bearer-9b0c",
    "REVIEWS_CACHE__URL": "redis://cache:sekret-cache-3a4b@127.0.0.1:1/0",
    "REVIEWS_CACHE__KEY": "sekret-sealing-5b6c",
    "REVIEWS_AUDIT__KEY": "sekret-sample-6b7c",
    "REVIEWS_GUARD__KEY": "sekret-guard-7d8e",
    "REVIEWS_QUEUE__REDIS_URL": "redis://queue:sekret-queue-4c5d@127.0.0.1:1/0",
    "REVIEWS_QUEUE__SECRET": "sekret-session-5e6f-" * 2,
    "REVIEWS_QUEUE__PROXY_SECRET": "sekret-proxy-6a7b",
    "REVIEWS_MONITOR__TOKEN": "sekret-monitor-7c8d",
    "REVIEWS_LEARNING__SIGNING_KEY": "sekretSign0b1c" * 3 + "0=",
    "REVIEWS_LABEL__LLM_API_KEY": "sekret-llm-8e9f",
    "REVIEWS_TRACKING__URI": "http://track:sekret-track-9f0a@127.0.0.1:1",
}
DEBUG = {"REVIEWS_LOG__LEVEL": "debug", "REVIEWS_LOG__FORMAT": "json"}


def assert_nothing_secret(*said):
    for text in said:
        assert "sekret" not in text


def secret_settings():
    for section, field in Settings.model_fields.items():
        for name, option in getattr(field.annotation, "model_fields", {}).items():
            if option.annotation in {SecretStr, SecretStr | None}:
                yield f"REVIEWS_{section}__{name}".upper()


def test_every_secret_setting_is_tried_here():
    assert set(secret_settings()) == set(SECRETS)


@pytest.fixture
def nobody():
    """An address at which nothing listens: the port is held and refuses."""
    with closing(socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("config",),
        ("config", "--json"),
        ("config", "--changed"),
        ("config", "--reference"),
        ("acl", "worker"),
        ("work", "--help"),
        ("doctor",),
        ("doctor", "--json"),
        ("topics", "list"),
        ("work",),
        ("queue",),
        ("monitor",),
        ("erase", "r1"),
        ("consume", "--drain"),
    ],
    ids=" ".join,
)
def test_a_command_does_not_print_it(command, nobody, tmp_path):
    variables = {**SECRETS, **DEBUG, "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": nobody}
    done = reviews(*command, cwd=tmp_path, **variables)
    assert "Traceback" not in done.stderr
    assert_nothing_secret(done.stdout, done.stderr)


@pytest.mark.parametrize(
    "wrong",
    [
        {"REVIEWS_MONITOR__TOKEN": "sekret-short"},
        {"REVIEWS_KAFKA": '{"sasl_password": "sekret-not-json'},
        {"REVIEWS_KAFKA__SASL_PASSWORT": "sekret-misspelt"},
        {"REVIEWS_CACHE__URL": "rediss//cache:sekret-malformed@127.0.0.1:1/0"},
        {"REVIEWS_CACHE__URL": "redis://cache:sekret-bad-port@127.0.0.1:port/0"},
    ],
    ids=lambda wrong: " ".join(wrong.values()),
)
@pytest.mark.parametrize("command", ["doctor", "queue"])
def test_a_wrong_setting_is_refused_without_showing_it(command, wrong, nobody, tmp_path):
    done = reviews(command, cwd=tmp_path, REVIEWS_KAFKA__BOOTSTRAP_SERVERS=nobody, **wrong)
    assert "Traceback" not in done.stderr
    assert_nothing_secret(done.stdout, done.stderr)


def test_a_file_of_settings_that_does_not_parse_is_not_quoted(tmp_path):
    file = tmp_path / "reviews.toml"
    file.write_text('[kafka]\nsasl_password = "sekret-in-file" "sekret-again"\n')
    done = reviews("config", REVIEWS_CONFIG=str(file))
    assert done.returncode == 2
    assert_nothing_secret(done.stdout, done.stderr)


@pytest.fixture
def redis_with_passwords(tmp_path):
    """Return the variables of two users of a real Redis whose passwords are secrets of ours."""
    users = dict.fromkeys(("cache", "queue"), ("~*", "+@all"))
    server = LocalRedis(
        tmp_path / "redis", users=redis_acl(users, {user: f"sekret-{user}" for user in users})
    )
    with server:
        yield {
            f"REVIEWS_{section}": server.url.replace("//", f"//{user}:sekret-{user}@")
            for section, user in (("CACHE__URL", "cache"), ("QUEUE__REDIS_URL", "queue"))
        }


@pytest.mark.parametrize(
    ("command", "begun"),
    [("work", "worker_started"), ("queue", "http://"), ("monitor", "monitor_started")],
)
def test_a_server_does_not_print_it_while_it_runs(
    command, begun, kafka, topic_prefix, redis_with_passwords, tmp_path
):
    write_tiny_model(tmp_path / "model")
    variables = {
        **SECRETS,
        **redis_with_passwords,
        **DEBUG,
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": topic_prefix,
        "REVIEWS_MODEL__FOLDER": str(tmp_path / "model"),
        "REVIEWS_QUEUE__ACCOUNTS": str(tmp_path / "accounts.json"),
        "REVIEWS_HTTP__PORT": "0",
        "REVIEWS_QUEUE__PORT": str(free_port()),
        "REVIEWS_MONITOR__PORT": str(free_port()),
    }
    assert reviews("topics", "create", **variables).returncode == 0
    with running(command, **variables) as server:
        said = wait_for_line(server, begun)
        server.send_signal(signal.SIGTERM)
        rest = server.communicate(timeout=SECONDS)
    assert_nothing_secret(said, *rest)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    secured = secured_broker(tmp_path_factory.mktemp("secured"))
    with secured.kafka:
        yield secured


@pytest.mark.parametrize("password", ["sekret-wrong", password_of(ADMIN)], ids=["wrong", "right"])
def test_a_secured_broker_makes_nobody_say_the_password(broker, password):
    connection = broker.settings_of(ADMIN, sasl_password=password)
    variables = {f"REVIEWS_KAFKA__{name}".upper(): str(v) for name, v in connection.items()}
    done = reviews("doctor", **DEBUG, **variables)
    assert "kafka" in done.stdout
    assert password not in done.stdout + done.stderr
