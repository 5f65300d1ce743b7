"""Objects that are almost right, for every kind and verb, as our own OpenAPI documents describe them."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from .conftest import APPLY, JSON_PATCH, MERGE, STRATEGIC, Server, deployment, pod
from .hostile import JUNK, Budget, Hostile, budgets, from_schema, overlaid
from .writers import WIDGETS

Object = dict[str, Any]
META = {"name": "x", "labels": {"app": "x"}}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
WORKLOAD = {"metadata": META, "spec": deployment("x")["spec"]}
ONE_SHOT = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}
RIGHT: dict[str, Object] = {
    "Pod": pod("x"),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), WORKLOAD),
    "Service": {"metadata": META, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    "Job": {"metadata": META, "spec": {"template": {"spec": ONE_SHOT}}},
    "EndpointSlice": {
        "metadata": META,
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"port": 80}],
    },
}
POINTERS = st.sampled_from([
    "", "x", "/", "/~2", "/metadata", "/metadata/name", "/metadata/labels/a~1b", "/metadata/annotations",
    "/spec", "/spec/x", "/spec/containers/0", "/spec/containers/-", "/spec/containers/99", "/status",
])  # fmt: skip
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "fly"]),
            "path": POINTERS,
        },
        optional={"value": JUNK, "from": POINTERS | JUNK},
    ),
    max_size=3,
)


@dataclass(frozen=True)
class Target:
    """One kind: where it is created, and the strategy of its objects."""

    path: str
    api_version: str
    kind: str
    objects: st.SearchStrategy[Any]

    @property
    def right(self) -> Object:
        return deepcopy(RIGHT.get(self.kind, {"metadata": META}))


@pytest.fixture(scope="module")
def hostile(server: Server) -> Iterator[Hostile]:
    found = Hostile(server, server.tls())
    found.json("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    found.json("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGETS)
    yield found
    found.close()


@pytest.fixture(scope="module")
def targets(hostile: Hostile) -> list[Target]:
    found = []
    for group in hostile.send("GET", "/openapi/v3").json["paths"]:
        document = hostile.send("GET", f"/openapi/v3/{group}").json
        components = document["components"]["schemas"]
        for path, item in document["paths"].items():
            if operation := item.get("post"):
                about = operation["x-kubernetes-group-version-kind"]
                objects = from_schema(operation["requestBody"]["content"]["*/*"]["schema"], components)
                version = f"{about['group']}/{about['version']}".lstrip("/")
                found.append(Target(path.replace("{namespace}", "default"), version, about["kind"], objects))
    assert len(found) > 25
    return found


@dataclass(frozen=True)
class Case:
    """What one example sends."""

    target: Target
    way: str
    value: Any
    query: str

    def __repr__(self) -> str:
        return f"{self.way} {self.target.path}{self.query} {json.dumps(self.value)[:1500]}"


@st.composite
def cases(draw: Any, targets: list[Target]) -> Case:
    target = draw(st.sampled_from(targets))
    way = draw(st.sampled_from(["create", "update", "status", JSON_PATCH, MERGE, STRATEGIC, APPLY]))
    value = draw(OPERATIONS if way == JSON_PATCH else target.objects)
    if way == APPLY and isinstance(value, dict):
        value = {"apiVersion": target.api_version, "kind": target.kind, **value}
    elif way in ("create", "update", "status") and draw(st.booleans()):
        value = overlaid(target.right, value)
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if k not in ("apiVersion", "kind")}
            if isinstance(value.get("metadata"), dict):
                value["metadata"]["name"] = "x"
    level = draw(st.sampled_from(["Strict", "Warn", "Ignore"]))
    return Case(target, way, value, f"?fieldValidation={level}&fieldManager=f&force=true")


def carry_out(hostile: Hostile, case: Case) -> None:
    """Send it, and look at what it left behind as every client would."""
    target, one = case.target, f"{case.target.path}/x"
    if case.way != "create":
        hostile.json("POST", target.path, target.right)
    match case.way:
        case "create":
            reply = hostile.json("POST", target.path + case.query, case.value)
        case "update":
            reply = hostile.json("PUT", one + case.query, case.value)
        case "status":
            reply = hostile.json("PUT", f"{one}/status{case.query}", case.value)
        case media:
            reply = hostile.json("PATCH", one + case.query, case.value, media)
    hostile.judge(reply)
    made = reply.json.get("metadata", {}).get("name") if reply.code in (200, 201) else None
    if made is not None:
        reply.body.decode()
        hostile.judge(hostile.send("GET", target.path, headers=TABLE))
        hostile.judge(hostile.send("DELETE", f"{target.path}/{quote(made, safe='')}"))
    if case.way != "create":
        hostile.judge(hostile.json("PATCH", one, {"metadata": {"finalizers": None}}, MERGE))
        hostile.judge(hostile.send("DELETE", one))


@budgets(everyday=250, long=15_000)
def test_no_object_makes_the_server_fail(hostile: Hostile, targets: list[Target], budget: Budget) -> None:
    before = hostile.resident()
    budget.explore(cases(targets), lambda case: carry_out(hostile, case))
    assert hostile.send("GET", "/readyz").code == 200
    assert hostile.resident() < before + 60, "megabytes"
