"""docker-compose.yml starts commands that exist, with settings that exist, and stays on loopback."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support.manifests import VARIABLES, parse

ROOT = Path(__file__).parents[3]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
OURS = sorted(name for name, s in SERVICES.items() if s["image"].startswith("reviews-stream"))


@pytest.mark.parametrize("service", OURS)
def test_a_service_starts_a_command_that_exists(service):
    assert parse(SERVICES[service]["command"]) in {"work", "queue", "monitor", "create"}


def test_a_command_that_does_not_exist_would_be_noticed():
    with pytest.raises(Exception, match="bogus"):
        parse(["work", "--bogus"])


@pytest.mark.parametrize("service", OURS)
def test_every_setting_of_a_service_exists(service):
    given = {n for n in SERVICES[service]["environment"] if n.startswith("REVIEWS_")}
    assert given <= VARIABLES


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_ports_are_published_on_loopback_only(service):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_has_limits_and_all_that_stay_a_health_check(service):
    assert SERVICES[service]["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert "healthcheck" in SERVICES[service] or SERVICES[service]["restart"] == "no"


@pytest.mark.parametrize("service", OURS)
def test_our_containers_are_read_only_and_without_capabilities(service):
    its = SERVICES[service]
    assert (its["read_only"], its["cap_drop"]) == (True, ["ALL"])


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_mounted_file_is_there(service):
    mounted = [v.split(":")[0] for v in SERVICES[service].get("volumes", []) if v[0] == "."]
    assert all((ROOT / path).exists() for path in mounted)


@pytest.mark.parametrize("service", OURS)
def test_a_service_signs_in_at_kafka_and_redis(service):
    its = SERVICES[service]["environment"]
    assert "${KAFKA_PASSWORD:?" in its["REVIEWS_KAFKA__SASL_PASSWORD"]
    assert its["REVIEWS_KAFKA__SECURITY_PROTOCOL"] == "SASL_PLAINTEXT"
    assert its["REVIEWS_CACHE__URL"].startswith("redis://:${REDIS_PASSWORD:?")


def test_kafka_listens_without_a_password_within_its_own_container_alone():
    its = SERVICES["kafka"]["environment"]
    protocols = dict(p.split(":") for p in its["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in its["KAFKA_LISTENERS"].split(","):
        name, _, address = listener.partition("://")
        if protocols[name] == "PLAINTEXT":
            assert address.startswith("localhost:"), listener


def test_redis_asks_for_a_password_that_no_list_of_processes_shows():
    its = SERVICES["redis"]
    (_, _, script) = its["command"]
    assert "requirepass $$REDISCLI_AUTH" in script.split("<<END")[1]
    assert "${REDIS_PASSWORD:?" in its["environment"]["REDISCLI_AUTH"]


@pytest.mark.parametrize("service", sorted(set(SERVICES) - set(OURS)))
def test_an_image_of_others_can_be_pinned_by_its_digest(service):
    assert re.fullmatch(rf"\$\{{{service.upper()}_IMAGE:-\S+:\S+}}", SERVICES[service]["image"])


def test_the_image_runs_as_nobody_special():
    lines = (ROOT / "deploy" / "docker" / "Dockerfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
