"""What a topology makes of the shipped manifests."""

import json

import pytest

from lab.kube import objects
from lab.kube.objects import Object
from lab.ops.inventory import shipped_manifests
from lab.plan.workloads import HASH_ANNOTATION, app_objects, idle, namespaces, traffic_objects
from lab.topology.load import parse
from lab.topology.model import Topology

MANIFESTS = shipped_manifests()
HEAD = "name: t\nclusters: {west: {}, east: {}}\nlinks: [west <-> east]\n"


def topology(text: str) -> Topology:
    return parse(HEAD + text, "test")


def find(found: tuple[Object, ...], kind: str, name: str) -> Object:
    return next(obj for obj in found if (obj["kind"], objects.name(obj)) == (kind, name))


@pytest.mark.parametrize(
    ("export", "labels"),
    [
        ("gateway", {"mirror.linkerd.io/exported": "true"}),
        ("flat", {"mirror.linkerd.io/exported": "remote-discovery"}),
        (
            "[flat, federated]",
            {"mirror.linkerd.io/exported": "remote-discovery", "mirror.linkerd.io/federated": "member"},
        ),
    ],
)
def test_an_exported_service_carries_the_labels_of_its_modes(export: str, labels: dict[str, str]) -> None:
    found = app_objects(topology(f"apps: [{{app: echo, export: {export}}}]"), "echo", "west", MANIFESTS)
    carried = objects.labels(find(found, "Service", "echo"))
    assert {key: value for key, value in carried.items() if key.startswith("mirror.")} == labels


def test_failover_routes_to_the_local_service_first_and_its_mirrors_after() -> None:
    found = app_objects(
        topology("apps: [{app: shop, export: flat, failover: true}]"), "shop", "west", MANIFESTS
    )
    (rule,) = find(found, "HTTPRoute", "front-failover")["spec"]["rules"]
    weights = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
    assert list(weights) == ["front", "front-east"]
    assert weights["front"] > 100 * weights["front-east"] > 0


def test_an_app_runs_only_where_it_should_but_its_namespace_is_everywhere() -> None:
    asked = topology("apps: [{app: echo, clusters: [east]}]")
    assert app_objects(asked, "echo", "west", MANIFESTS) == ()
    assert app_objects(asked, "echo", "east", MANIFESTS)
    assert "echo" in map(objects.name, namespaces(asked, MANIFESTS))


def test_pods_are_told_which_cluster_they_run_in() -> None:
    found = app_objects(topology("apps: [{app: echo}]"), "echo", "east", MANIFESTS)
    assert find(found, "ConfigMap", "lab-info")["data"] == {"lab": "t", "cluster": "east"}


def test_the_mark_changes_exactly_when_the_object_does() -> None:
    def mark(text: str, kind: str) -> str:
        found = app_objects(topology(text), "echo", "west", MANIFESTS)
        return objects.annotations(find(found, kind, "echo"))[HASH_ANNOTATION]

    assert mark("apps: [{app: echo}]", "Service") == mark("apps: [{app: echo, replicas: 2}]", "Service")
    assert mark("apps: [{app: echo}]", "Deployment") != mark("apps: [{app: echo, replicas: 2}]", "Deployment")


def test_traffic_starts_only_in_the_cluster_it_comes_from() -> None:
    asked = topology('traffic: [{from: west, to: "http://front.shop", rate: 5/s}]')
    config = find(traffic_objects(asked, "west", MANIFESTS), "ConfigMap", "loadgen-targets")
    assert json.loads(config["data"]["targets.json"]) == {
        "targets": {"front-shop": {"url": "http://front.shop", "rate": 5.0}}
    }
    assert traffic_objects(asked, "east", MANIFESTS) == ()


def test_calls_carry_the_headers_of_their_traffic() -> None:
    asked = topology('traffic: [{from: west, to: "http://front.shop", headers: {x-group: testers}}]')
    config = find(traffic_objects(asked, "west", MANIFESTS), "ConfigMap", "loadgen-targets")
    target = json.loads(config["data"]["targets.json"])["targets"]["front-shop"]
    assert target["headers"] == {"x-group": "testers"}


def test_an_idle_generator_calls_nothing_and_does_not_pass_for_the_wanted_one() -> None:
    asked = topology('traffic: [{from: west, to: "http://front.shop"}]')
    wanted = traffic_objects(asked, "west", MANIFESTS)
    resting = find(idle(wanted), "ConfigMap", "loadgen-targets")
    assert json.loads(resting["data"]["targets.json"]) == {"targets": {}}
    assert objects.annotations(resting) != objects.annotations(find(wanted, "ConfigMap", "loadgen-targets"))


def test_an_image_of_the_users_replaces_that_of_apps_and_traffic_alone() -> None:
    text = (
        "apps-image: r.example/apps:1\napps: [{app: echo}]\ntraffic: [{from: west, to: 'http://echo.echo'}]"
    )
    asked = topology(text)
    found = [*app_objects(asked, "echo", "west", MANIFESTS), *traffic_objects(asked, "west", MANIFESTS)]
    deployments = [obj for obj in found if obj["kind"] == "Deployment"]
    images = {c["image"] for obj in deployments for c in obj["spec"]["template"]["spec"]["containers"]}
    assert images == {"r.example/apps:1"}
    before = topology(text.partition("\n")[2])
    marks = objects.annotations(find(app_objects(before, "echo", "west", MANIFESTS), "Deployment", "echo"))
    assert marks[HASH_ANNOTATION] != objects.annotations(deployments[0])[HASH_ANNOTATION]
