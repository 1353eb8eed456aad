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


POLICIES = [o for o in OBJECTS if o["kind"] == "NetworkPolicy"]


def test_what_no_policy_names_is_closed_for_every_pod():
    (closed,) = [p for p in POLICIES if p["spec"]["podSelector"] == {}]
    assert sorted(closed["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert closed["spec"].keys() == {"podSelector", "policyTypes"}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p["metadata"]["name"])
def test_every_rule_says_who_or_where_to_and_which_port(policy):
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(direction, []):
            assert rule[side], direction
            assert all(peer.get("namespaceSelector") for peer in rule[side])
            assert all(port["port"] for port in rule["ports"])


def test_policies_name_pods_that_there_are_and_ports_that_they_open():
    ports = {
        template["labels"]["app"]: {p["containerPort"] for p in spec["containers"][0]["ports"]}
        for o in OBJECTS
        if o["kind"] == "Deployment"
        for template, spec in [
            (o["spec"]["template"]["metadata"], o["spec"]["template"]["spec"]),
        ]
    }
    for policy in POLICIES:
        for rule in policy["spec"].get("ingress", []):
            app = policy["spec"]["podSelector"]["matchLabels"]["app"]
            assert {port["port"] for port in rule["ports"]} <= ports[app]


def test_the_monitor_does_not_reach_redis():
    open_to = [
        policy["spec"]["podSelector"]["matchExpressions"][0]["values"]
        for policy in POLICIES
        for rule in policy["spec"].get("egress", [])
        if 6379 in {port["port"] for port in rule["ports"]}
    ]
    assert open_to == [["reviews-worker", "reviews-queue"]]


def test_no_secret_is_in_a_manifest():
    assert "Secret" not in {o["kind"] for o in OBJECTS}


def test_what_waits_before_the_first_worker_came_starts_one():
    asked = the("ScaledObject")["spec"]["triggers"][0]["metadata"]
    assert asked["offsetResetPolicy"] == "earliest"


# What Kubernetes and KEDA 2 demand of each kind, by their API references: a manifest that lacks it, or
# has a field of another name, is refused when it is applied.
REQUIRED = {
    "Deployment": {"selector", "template"},
    "Service": {"ports", "selector"},
    "PodDisruptionBudget": {"selector"},
    "NetworkPolicy": {"podSelector", "policyTypes"},
    "ScaledObject": {"scaleTargetRef", "triggers"},
    "TriggerAuthentication": {"secretTargetRef"},
    "PersistentVolumeClaim": {"accessModes", "resources"},
}
VERSIONS = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PersistentVolumeClaim": "v1",
    "PodDisruptionBudget": "policy/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "TriggerAuthentication": "keda.sh/v1alpha1",
}


@pytest.mark.parametrize("found", OBJECTS, ids=lambda o: f"{o['kind']}-{o['metadata']['name']}")
def test_a_manifest_has_the_shape_of_its_kind(found):
    assert found["apiVersion"] == VERSIONS[found["kind"]]
    assert REQUIRED.get(found["kind"], set()) <= set(found.get("spec", {}))


def test_whatever_selects_pods_selects_pods_that_there_are():
    labels = [
        o["spec"]["template"]["metadata"]["labels"] for o in OBJECTS if o["kind"] == "Deployment"
    ]
    for found in OBJECTS:
        selector = found.get("spec", {}).get("selector") or found.get("spec", {}).get("podSelector")
        wanted = selector and selector.get(
            "matchLabels", {} if "matchLabels" in selector else selector
        )
        if wanted and not set(wanted) & {"matchExpressions"}:
            assert any(wanted.items() <= its.items() for its in labels), found["metadata"]["name"]


def test_what_is_scaled_is_there_and_never_beyond_the_partitions():
    scaled = the("ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] in PODS
    assert (
        0 <= scaled["minReplicaCount"] <= scaled["maxReplicaCount"] <= Settings().topics.partitions
    )
