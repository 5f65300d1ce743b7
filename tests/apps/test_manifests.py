"""The demo's manifests fit the programs they start."""

from pathlib import Path

import pytest
import yaml

from lab.apps.loadgen.targets import parse
from lab.apps.main import PROGRAMS

FOLDER = Path(__file__).parents[2] / "manifests" / "apps"
OBJECTS = [obj for file in sorted(FOLDER.rglob("*.yaml")) for obj in yaml.safe_load_all(file.read_text())]
DEPLOYMENTS = [obj for obj in OBJECTS if obj["kind"] == "Deployment"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["metadata"]["name"])
def test_a_deployment_starts_a_program_of_the_image_and_is_probed_every_second(deployment):
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "multicluster.lab/apps:dev"
    assert container["args"][0] in PROGRAMS
    assert container["readinessProbe"]["periodSeconds"] == 1


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["metadata"]["name"])
def test_each_app_has_its_own_service_account(deployment):
    name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == name
    accounts = {
        (o["metadata"]["namespace"], o["metadata"]["name"]) for o in OBJECTS if o["kind"] == "ServiceAccount"
    }
    assert (namespace, name) in accounts


@pytest.mark.parametrize(
    "service", [o for o in OBJECTS if o["kind"] == "Service"], ids=lambda s: s["metadata"]["name"]
)
def test_a_service_points_at_named_ports_of_its_pods(service):
    pods = next(
        d["spec"]["template"]
        for d in DEPLOYMENTS
        if d["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    )
    names = {port["name"] for port in pods["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


def test_every_namespace_is_meshed():
    spaces = [obj for obj in OBJECTS if obj["kind"] == "Namespace"]
    assert {s["metadata"]["name"] for s in spaces} == {"shop", "echo", "traffic"}
    assert all(s["metadata"]["annotations"]["linkerd.io/inject"] == "enabled" for s in spaces)


def test_the_shipped_targets_are_valid():
    (config,) = [obj for obj in OBJECTS if obj["metadata"]["name"] == "loadgen-targets"]
    assert parse(config["data"]["targets.json"])[0].url == "http://front.shop/"
