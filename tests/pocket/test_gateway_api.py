"""The shipped definitions of the Gateway API: what a user's route becomes, and what a wrong one is told."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Server

DEFINITIONS = Path(__file__).parents[2] / "manifests" / "gateway-api"
PINNED = Path(__file__).parents[1] / "conformance" / "go.mod"


@pytest.fixture(scope="module")
def cluster(server: Server) -> Server:
    """A server that has the definitions."""
    server.kubectl("apply", "--server-side", "-f", str(DEFINITIONS))
    names = [yaml.safe_load(file.read_text())["metadata"]["name"] for file in DEFINITIONS.glob("*.yaml")]
    server.kubectl("wait", "--for=condition=Established", "--timeout=10s", *(f"crd/{n}" for n in names))
    return server


def route(kind: str = "HTTPRoute", **rule: Any) -> dict[str, Any]:
    backends = {} if "backendRefs" in rule else {"backendRefs": [{"name": "echo", "port": 80}]}
    parents = [{"group": "", "kind": "Service", "name": "echo"}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "checked"},
        "spec": {"parentRefs": parents, "rules": [{**backends, **rule}]},
    }


def apply(cluster: Server, obj: dict[str, Any], code: int = 0) -> str:
    return cluster.kubectl(
        "apply", "--dry-run=server", "-o", "yaml", "-f", "-", text=yaml.safe_dump(obj), code=code
    )


def test_all_definitions_are_of_the_release_that_the_conformance_suite_is_pinned_to() -> None:
    found = [
        yaml.safe_load(file.read_text())["metadata"]["annotations"] for file in DEFINITIONS.glob("*.yaml")
    ]
    versions = {one["gateway.networking.k8s.io/bundle-version"] for one in found}
    assert len(versions) == 1
    assert f"sigs.k8s.io/gateway-api/conformance {versions.pop()}\n" in PINNED.read_text()
    assert {one["gateway.networking.k8s.io/channel"] for one in found} == {"experimental"}


def test_a_rule_without_matches_takes_every_path_and_a_backend_has_weight_1(cluster: Server) -> None:
    (rule,) = yaml.safe_load(apply(cluster, route()))["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert rule["backendRefs"] == [{"group": "", "kind": "Service", "name": "echo", "port": 80, "weight": 1}]


def test_a_redirect_is_302_unless_it_says_otherwise(cluster: Server) -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "example.org"}}
    (rule,) = yaml.safe_load(apply(cluster, route(filters=[redirect], backendRefs=[])))["spec"]["rules"]
    assert rule["filters"][0]["requestRedirect"]["statusCode"] == 302


def test_the_experimental_fields_are_kept(cluster: Server) -> None:
    wanted = {"codes": [503], "attempts": 2, "backoff": "10ms"}
    session = {"sessionName": "s", "type": "Header"}
    (rule,) = yaml.safe_load(apply(cluster, route(retry=wanted, sessionPersistence=session)))["spec"]["rules"]
    assert (rule["retry"], rule["sessionPersistence"]) == (wanted, session)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"matches": [{"method": "FETCH"}]}, 'spec.rules[0].matches[0].method: Unsupported value: "FETCH"'),
        ({"timeouts": {"request": "5 s"}}, "spec.rules[0].timeouts.request: Invalid value"),
        ({"backendRefs": [{"name": "a", "port": 0}]}, "spec.rules[0].backendRefs[0].port: Invalid value: 0"),
        ({"backendRefs": [{"name": "a", "port": 1, "weight": -1}]}, "weight: Invalid value: -1"),
        ({"retry": {"codes": [200]}}, "spec.rules[0].retry.codes[0]: Invalid value: 200"),
        ({"retry": {"attempts": 0}}, "spec.rules[0].retry.attempts: Invalid value: 0"),
        ({"filters": [{"type": "Rewrite"}]}, 'spec.rules[0].filters[0].type: Unsupported value: "Rewrite"'),
        ({"filters": [{"urlRewrite": {}}]}, "spec.rules[0].filters[0].type: Required value"),
        ({"matches": [{"headers": [{"name": "a b", "value": "x"}]}]}, "headers[0].name: Invalid value"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_wrong(cluster: Server, rule: dict[str, Any], said: str) -> None:
    assert said in apply(cluster, route(**rule), code=1)


def test_a_misspelt_field_is_named(cluster: Server) -> None:
    assert 'unknown field "spec.rules[0].timeout"' in apply(cluster, route(timeout={"request": "1s"}), code=1)


def test_more_rules_than_the_api_allows_are_refused(cluster: Server) -> None:
    many = route()
    many["spec"]["rules"] *= 17
    assert "spec.rules: Too many: 17: must have at most 16 items" in apply(cluster, many, code=1)


def test_a_class_and_a_gateway_wait_for_a_controller(cluster: Server) -> None:
    klass = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "x"},
        "spec": {"controllerName": "example.org/x"},
    }
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "x"},
        "spec": {
            "gatewayClassName": "x",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    }
    assert "message: Waiting for controller" in apply(cluster, klass)
    assert yaml.safe_load(apply(cluster, gateway))["spec"]["listeners"][0]["allowedRoutes"] == {
        "namespaces": {"from": "Same"}
    }


def redirect(**more: Any) -> dict[str, Any]:
    return {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", **more}}


REWRITE = {"type": "URLRewrite", "urlRewrite": {"hostname": "x.test"}}
STRIP = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
EXACT = {"path": {"type": "Exact", "value": "/a"}}
BACKEND = {"name": "echo", "port": 80}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"filters": [redirect()]},
            'spec.rules[0]: Invalid value: "object": a rule with a RequestRedirect filter',
        ),
        (
            {"filters": [redirect(), REWRITE], "backendRefs": []},
            'spec.rules[0].filters: Invalid value: "array": RequestRedirect and URLRewrite exclude',
        ),
        ({"filters": [REWRITE, REWRITE]}, "only one URLRewrite filter is allowed"),
        ({"filters": [{"type": "CORS"}]}, "cors must be set for type CORS and for no other"),
        ({"filters": [{**REWRITE, "cors": {}}]}, "cors must be set for type CORS and for no other"),
        (
            {"filters": [{"type": "URLRewrite", "urlRewrite": STRIP}], "matches": [EXACT]},
            "replacePrefixMatch needs exactly one match, of type PathPrefix",
        ),
        (
            {
                "backendRefs": [{**BACKEND, "filters": [{"type": "URLRewrite", "urlRewrite": STRIP}]}],
                "matches": [{}, {}],
            },
            "replacePrefixMatch in a backendRef needs exactly one match, of type PathPrefix",
        ),
        (
            {"filters": [redirect(path={"type": "ReplaceFullPath"})], "backendRefs": []},
            "replaceFullPath must be set for type ReplaceFullPath and for no other",
        ),
        ({"backendRefs": [{"name": "echo"}]}, "a reference to a Service needs a port"),
        ({"timeouts": {"request": "1s", "backendRequest": "2s"}}, "backendRequest must not be longer"),
        ({"matches": [{"path": {"value": "a"}}]}, "value must start with / for types Exact and PathPrefix"),
        ({"matches": [{"path": {"value": "/a//b"}}]}, "value must not contain //, /. or /.."),
        ({"matches": [{"path": {"value": "/a%2Fb"}}]}, "value must not contain an escaped / or a fragment"),
        ({"matches": [{"path": {"value": "/a b"}}]}, "value must consist of characters of a URL path"),
        (
            {"sessionPersistence": {"cookieConfig": {"lifetimeType": "Permanent"}}},
            "a permanent cookie needs an absoluteTimeout",
        ),
        ({"sessionPersistence": {"type": "Header", "cookieConfig": {}}}, "cookieConfig is for type Cookie"),
        (
            {
                "filters": [
                    {
                        "type": "RequestMirror",
                        "requestMirror": {"backendRef": BACKEND, "percent": 1, "fraction": {"numerator": 1}},
                    }
                ]
            },
            "state percent or fraction and not both",
        ),
        ({"filters": [{"type": "CORS", "cors": {"allowMethods": ["*", "GET"]}}]}, "must stand alone"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(cluster: Server, rule: dict[str, Any], said: str) -> None:
    assert said in apply(cluster, route(**rule), code=1)


@pytest.mark.parametrize(
    "rule",
    [
        {"filters": [redirect(**STRIP)], "backendRefs": [], "matches": [{"path": {"value": "/a"}}]},
        {"filters": [{"type": "URLRewrite", "urlRewrite": STRIP}]},
        {"timeouts": {"request": "0s", "backendRequest": "2s"}},
        {"matches": [{"path": {"type": "RegularExpression", "value": "a//(b|c)#"}}]},
        {"backendRefs": [{"name": "echo", "group": "x.test", "kind": "Bucket"}]},
        {"sessionPersistence": {"absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}}},
    ],
)
def test_fields_that_go_together_are_accepted(cluster: Server, rule: dict[str, Any]) -> None:
    apply(cluster, route(**rule))


@pytest.mark.parametrize(
    ("refs", "said"),
    [
        ([{}, {}], "references to the same parent must differ in sectionName or port"),
        ([{"port": 80}, {"port": 80}], "references to the same parent must differ in sectionName or port"),
        ([{}, {"port": 80}], "of several references to the same parent each must state sectionName or port"),
        ([{"port": 80}, {"port": 81}], ""),
        ([{"port": 80}, {"port": 80, "namespace": "other"}], ""),
    ],
)
def test_references_to_one_parent_are_told_apart(cluster: Server, refs: list[Any], said: str) -> None:
    obj = route()
    obj["spec"]["parentRefs"] = [{"group": "", "kind": "Service", "name": "echo", **ref} for ref in refs]
    assert said in apply(cluster, obj, code=1 if said else 0)


def test_a_route_has_at_most_128_matches_in_all_and_different_names(cluster: Server) -> None:
    many = route(name="one", matches=[EXACT] * 33)
    many["spec"]["rules"] *= 4
    said = apply(cluster, many, code=1)
    assert "a route must have at most 128 matches in all" in said
    assert "rules of one route must have different names" in said


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({}, "state service or method"),
        ({"service": "a b"}, "service must be a name of protobuf for type Exact"),
        ({"method": "Say-it"}, "method must be a name of protobuf for type Exact"),
        ({"service": "lab.Echo", "method": "Say"}, ""),
        ({"type": "RegularExpression", "service": "lab[.].*"}, ""),
    ],
)
def test_a_grpc_match_names_service_or_method(cluster: Server, method: dict[str, str], said: str) -> None:
    assert said in apply(cluster, route("GRPCRoute", matches=[{"method": method}]), code=1 if said else 0)
