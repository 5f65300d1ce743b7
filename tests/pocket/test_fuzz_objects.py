"""Objects that are almost right, for every kind and verb, as our own OpenAPI documents describe them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from .conftest import APPLY, JSON_PATCH, MERGE, STRATEGIC, Server, deployment, pod
from .hostile import JUNK, TEXTS, Budget, Hostile, budgets, from_schema, overlaid
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


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/fuzz.example.com/v1/namespaces/default/things"


def definition(schema: Any, **version: Any) -> Object:
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    ]
    spec = {"group": "fuzz.example.com", "scope": "Namespaced", "names": names, "versions": versions}
    return {"metadata": {"name": "things.fuzz.example.com"}, "spec": spec}


@contextmanager
def defined(hostile: Hostile, crd: Object) -> Iterator[int]:
    """The definition for a while, if the server takes it; what its creation was answered with."""
    reply = hostile.judge(hostile.json("POST", CRDS, crd))
    yield reply.code
    hostile.judge(hostile.send("DELETE", f"{CRDS}/things.fuzz.example.com"))
    while hostile.send("GET", f"{CRDS}/things.fuzz.example.com").code != 404:
        assert hostile.send("GET", "/readyz").code == 200


def use(hostile: Hostile, value: Any) -> None:
    """Put an object of the defined kind in and look at it."""
    if isinstance(value, dict):
        value = {**value, "metadata": {"name": "x"}}
    hostile.judge(hostile.json("POST", THINGS, value))
    patch = {"apiVersion": "fuzz.example.com/v1", "kind": "Thing", "spec": {"a": [1]}}
    hostile.judge(hostile.json("PATCH", f"{THINGS}/y?fieldManager=f&force=true", patch, APPLY))
    hostile.judge(hostile.json("PATCH", f"{THINGS}/x", {"spec": {"a": {"b": None}}}, MERGE))
    hostile.judge(hostile.send("GET", THINGS, headers=TABLE))
    hostile.judge(hostile.send("GET", "/openapi/v3/apis/fuzz.example.com/v1"))


@st.composite
def definitions(draw: Any, hostile: Hostile) -> tuple[Object, Any]:
    document = hostile.send("GET", "/openapi/v3/apis/apiextensions.k8s.io/v1").json["components"]["schemas"]
    (model,) = (name for name in document if name.endswith(".JSONSchemaProps"))
    inner = from_schema({"$ref": f"#/components/schemas/{model}"}, document)
    fields = draw(st.dictionaries(st.sampled_from(["a", "b", "spec"]), inner, max_size=3))
    schema = {"type": "object", "properties": fields, **draw(st.fixed_dictionaries({}, optional=ODD))}
    version = draw(st.fixed_dictionaries({}, optional=EXTRAS))
    return definition(schema, **version), draw(
        st.recursive(JUNK, lambda x: st.dictionaries(TEXTS, x), max_leaves=6)
    )


ODD = {
    "items": JUNK,
    "additionalProperties": JUNK,
    "required": JUNK,
    "x-kubernetes-list-type": TEXTS,
    "x-kubernetes-preserve-unknown-fields": st.booleans(),
    "pattern": st.sampled_from(["(", "(a+)+$", "[", "\\", "(?=a)", "a{1000}{1000}"]),
    "default": JUNK,
}
PATHS = st.sampled_from([".spec.a", ".", "$", ".a[*].b", ".a[?(@.b==1)]", ".a[", "[[", ".a[-1]", ""])
EXTRAS = {
    "additionalPrinterColumns": st.lists(
        st.fixed_dictionaries({
            "name": TEXTS,
            "type": st.sampled_from(["string", "date", "integer", "x"]),
            "jsonPath": PATHS,
        }), max_size=2,
    ),
    "subresources": st.sampled_from([{}, {"status": {}}, {"scale": {"specReplicasPath": "x"}}, {"x": 1}]),
    "selectableFields": st.lists(st.fixed_dictionaries({"jsonPath": TEXTS}), max_size=2),
}  # fmt: skip


@budgets(everyday=40, long=3000)
def test_no_definition_makes_the_server_fail(hostile: Hostile, budget: Budget) -> None:
    def check(case: tuple[Object, Any]) -> None:
        crd, value = case
        with defined(hostile, crd):
            use(hostile, value)

    budget.explore(definitions(hostile), check)
    assert "Traceback" not in (hostile.server.root / "log").read_text(errors="replace")
    with defined(hostile, definition({"type": "object"})) as code:
        assert code == 201, "definitions are still served"
        use(hostile, {})


def nested(depth: int) -> Object:
    schema: Object = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


HUGE = {
    "two thousand fields": {
        "type": "object",
        "properties": {f"f{n}": {"type": "string"} for n in range(2000)},
    },
    "forty levels": nested(40),
    "a field in itself": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    "a slow pattern": {"type": "object", "properties": {"spec": {"type": "string", "pattern": "^(a+)+$"}}},
    "a huge count": {
        "type": "object",
        "properties": {"spec": {"type": "string", "pattern": "^(a{1,900}){1,900}$"}},
    },
}


@pytest.mark.parametrize("case", HUGE)
def test_a_huge_or_slow_schema_keeps_nobody_waiting(hostile: Hostile, case: str) -> None:
    before, start = hostile.resident(), time.monotonic()
    with defined(hostile, definition(HUGE[case])):
        use(hostile, {"spec": "a" * 100 + "!"})
    assert time.monotonic() - start < 5
    assert hostile.resident() < before + 40, "megabytes"


def test_gigantic_label_sets_get_an_answer_of_bounded_size(hostile: Hostile) -> None:
    labels = {f"l{n}": "-" for n in range(50_000)}
    meta = {"name": "labelled", "labels": labels}
    reply = hostile.judge(hostile.json("POST", "/api/v1/namespaces/default/configmaps", {"metadata": meta}))
    assert reply.code == 422
    assert len(reply.body) < 200_000
    meta["labels"] = dict.fromkeys(labels, "fine")
    reply = hostile.json("POST", "/api/v1/namespaces/default/configmaps", {"metadata": meta})
    assert hostile.judge(reply).code == 201
    assert hostile.send("DELETE", "/api/v1/namespaces/default/configmaps/labelled").code == 200
