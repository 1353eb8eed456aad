"""The Kubernetes manifests start commands that exist, with settings that exist, as nobody special."""

from pathlib import Path

import pytest
import yaml

from schemas import TopicNames
from stream.settings import Settings, WorkerSettings
from tests.support.manifests import VARIABLES, parse

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
OBJECTS = [
    found
    for name in KUSTOMIZATION["resources"]
    for found in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
]
PODS = {
    o["metadata"]["name"]: o["spec"]["template"]["spec"]
    for o in OBJECTS
    if o["kind"] == "Deployment"
}
CONTAINERS = [pytest.param(pod["containers"][0], id=name) for name, pod in PODS.items()]


def the(kind):
    (found,) = [o for o in OBJECTS if o["kind"] == kind]
    return found


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_starts_a_command_that_exists(container):
    assert parse(container["args"]) == container["name"].replace("worker", "work")


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_setting_exists(container):
    given = {variable["name"] for variable in container["env"]} | set(the("ConfigMap")["data"])
    assert given <= VARIABLES


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_cannot_write_or_gain_rights(container):
    its = container["securityContext"]
    assert its["readOnlyRootFilesystem"]
    assert not its["allowPrivilegeEscalation"]


def test_a_pod_gets_longer_than_a_drain_takes():
    drain = WorkerSettings().drain_timeout
    assert all(pod["terminationGracePeriodSeconds"] > drain for pod in PODS.values())


def test_scaling_asks_for_the_lag_of_our_group_on_our_topic():
    scaled = the("ScaledObject")["spec"]
    asked = scaled["triggers"][0]["metadata"]
    assert (asked["consumerGroup"], asked["topic"]) == (
        WorkerSettings().group,
        TopicNames().incoming,
    )
    assert scaled["maxReplicaCount"] <= Settings().topics.partitions


def test_no_secret_is_in_a_manifest():
    assert "Secret" not in {o["kind"] for o in OBJECTS}
