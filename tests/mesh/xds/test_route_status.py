"""What the status of a route tells its owner."""

from typing import Any

import pytest

from lab.controlplane.gatewayapi.status import desired_parents
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.world import World
from tests.mesh.xds.test_traffic import route, service

HEADLESS = service("headless", "None", 80)


def parent(name: str = "echo", **more: Any) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": name, **more}


def entries(*parents: dict[str, Any], kind: str = "HTTPRoute", **rule: Any) -> list[dict[str, Any]]:
    """The parents in the status of a route with one rule, where Services echo and headless exist."""
    world = World()
    obj = route(("echo", 1), port=80, **rule) | {"kind": kind}
    obj["metadata"]["generation"] = 7
    if parents:
        obj["spec"]["parentRefs"] = list(parents)
    world.load([service("echo", "10.0.0.1", 80), HEADLESS, obj])
    return desired_parents(Reader(world.graph), obj, "now")


def conditions(entry: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in entry["conditions"]}


def test_every_parent_gets_its_own_entry_with_the_generation_that_was_looked_at() -> None:
    refs = [parent(port=80), parent(port=81)]
    good, bad = entries(*refs)
    assert [good["parentRef"], bad["parentRef"]] == refs
    assert conditions(good) == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}
    assert conditions(bad)["Accepted"] == ("False", "NoMatchingParent")
    assert {c["observedGeneration"] for entry in (good, bad) for c in entry["conditions"]} == {7}


@pytest.mark.parametrize(
    "ref", [parent(sectionName="grpc"), parent("headless")], ids=["no such port name", "headless"]
)
def test_a_parent_that_cannot_be_matched_by_an_address_is_no_match(ref: dict[str, Any]) -> None:
    (entry,) = entries(ref)
    assert conditions(entry)["Accepted"] == ("False", "NoMatchingParent")


def test_neither_a_service_that_does_not_exist_nor_a_gateway_gets_an_entry() -> None:
    assert entries(parent("missing"), {"kind": "Gateway", "name": "echo"}) == []


MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "missing", "port": 80}}}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"backendRefs": [{"name": "missing", "port": 80}]}, "BackendNotFound"),
        ({"backendRefs": [{"name": "echo", "port": 81}]}, "BackendNotFound"),
        (
            {"backendRefs": [{"name": "echo", "port": 80}, {"name": "x", "port": 1, "weight": 0}]},
            "BackendNotFound",
        ),
        ({"backendRefs": [{"name": "echo", "port": 80, "kind": "Bucket", "group": "x.test"}]}, "InvalidKind"),
        ({"filters": [MIRROR]}, "BackendNotFound"),
    ],
    ids=["a missing Service", "a missing port", "one of weight 0", "another kind", "a mirror"],
)
def test_a_reference_that_leads_nowhere_shows_with_its_reason(rule: dict[str, Any], reason: str) -> None:
    (entry,) = entries(**rule)
    assert conditions(entry) == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("False", reason)}


def test_a_rule_without_backends_is_no_reference_that_leads_nowhere() -> None:
    (entry,) = entries(backendRefs=[])
    assert conditions(entry)["ResolvedRefs"] == ("True", "ResolvedRefs")


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"filters": [{"type": "ExternalAuth", "externalAuth": {}}]}, "filter ExternalAuth"),
        ({"filters": [{"type": "ExtensionRef", "extensionRef": {}}]}, "filter ExtensionRef"),
        (
            {"backendRefs": [{"name": "echo", "port": 80, "filters": [MIRROR]}]},
            "filter RequestMirror of backend echo",
        ),
        (
            {"matches": [{"path": {"type": "RegularExpression", "value": "/(?=a)"}}]},
            "a regular expression that is not RE2's",
        ),
    ],
)
def test_what_the_mesh_cannot_do_is_named_with_its_rule(rule: dict[str, Any], named: str) -> None:
    (entry,) = entries(**rule)
    accepted = entry["conditions"][0]
    assert (accepted["status"], accepted["reason"]) == ("False", "UnsupportedValue")
    assert accepted["message"] == f"rules[0]: {named} is not supported"


def test_a_reference_into_another_namespace_of_the_mesh_needs_no_grant() -> None:
    world = World()
    other = service("far", "10.0.0.2", 80)
    other["metadata"]["namespace"] = "elsewhere"
    obj = route(port=80)
    obj["spec"]["rules"] = [{"backendRefs": [{"name": "far", "namespace": "elsewhere", "port": 80}]}]
    world.load([service("echo", "10.0.0.1", 80), other, obj])
    (entry,) = desired_parents(Reader(world.graph), obj, "now")
    assert conditions(entry)["ResolvedRefs"] == ("True", "ResolvedRefs")
