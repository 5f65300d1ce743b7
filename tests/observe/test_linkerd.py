"""What real Linkerd says of itself: the metrics of its programs, the status of a Link, its checks.

The texts have the names, types, help and labels of linkerd2's multicluster/service-mirror/metrics.go and of
the reference of the proxy's metrics (linkerd.io/2/reference/proxy-metrics), with values made for the tests.
"""

import json
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from lab.mesh.protocol import Finding
from lab.observe import table
from lab.observe.build import build
from lab.observe.facts import GatewayProbe, WantedLink
from lab.observe.metrics import gateway_probes, series
from lab.observe.mirrored import unmirrored
from lab.observe.schema import status_schema
from lab.ops.checked import with_findings
from lab.scenarios.sampling import condition, total
from lab.topology.probes import Metric

HERE = Path(__file__).parent
MIRROR, PROXY = ((HERE / f"linkerd-{of}.prom").read_text() for of in ("mirror", "proxy"))


def metric(name: str, **labels: str) -> Metric:
    return Metric(cluster="west", namespace="shop", pods="app=front", name=name, labels=labels)


def test_a_gateway_is_alive_dead_or_not_there_as_the_mirror_says() -> None:
    assert gateway_probes(MIRROR) == {"east": GatewayProbe(True, 3.0), "north": GatewayProbe(False, None)}


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("gateway_probes", {"probe_successful": "false"}, 7),
        ("service_mirror_endpoint_repairs", {}, 2),
        ("gateway_probe_latency_ms_count", {"target_cluster_name": "east"}, 41),
    ],
)
def test_a_probe_reads_the_mirrors_metrics_by_the_names_they_are_exposed_by(
    name: str, labels: dict[str, str], expected: float
) -> None:
    assert total(MIRROR, metric(name, **labels)) == expected


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("response_total", {"direction": "outbound", "dst_target_cluster": "east"}, 110),
        ("response_total", {"classification": "failure"}, 6),
        ("response_total", {"error": "failfast"}, 6),
        ("response_latency_ms_bucket", {"le": "10"}, 101),
        ("response_latency_ms_sum", {}, 512),
        ("outbound_http_balancer_endpoints", {"endpoint_state": "ready"}, 0),
        ("outbound_http_route_request_duration_seconds_count", {"route_name": "split"}, 10),
    ],
)
def test_a_probe_reads_the_proxys_metrics(name: str, labels: dict[str, str], expected: float) -> None:
    assert total(PROXY, metric(name, **labels)) == expected


def test_a_metric_that_is_not_there_has_no_series() -> None:
    assert list(series(PROXY, "route_response_total")) == []
    assert total(PROXY, metric("route_response_total")) is None


def link(*reasons: tuple[str, str]) -> dict:
    entries = [
        {"remoteRef": {"group": "", "kind": "Service", "namespace": "shop", "name": name},
         "controllerName": "linkerd.io/service-mirror",
         "conditions": [{"type": "Mirrored", "status": "True" if reason == "Mirrored" else "False",
                         "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
        for name, reason in reasons
    ]  # fmt: skip
    return {"metadata": {"name": "east"}, "spec": {"targetClusterName": "east"},
            "status": {"mirrorServices": entries[:1], "federatedServices": entries[1:]}}  # fmt: skip


def test_a_link_says_which_services_it_does_not_mirror_and_why() -> None:
    assert unmirrored(link(("front", "Mirrored"))) == ""
    assert unmirrored(link(("front", "MissingNamespace"))) == "shop/front is not mirrored: MissingNamespace"
    two = unmirrored(link(("front", "MissingNamespace"), ("stock", "InvalidService")))
    assert two == "shop/front is not mirrored: MissingNamespace (and 1 more)"


def test_a_link_of_2_14_has_no_status_and_nothing_to_say() -> None:
    assert unmirrored({"metadata": {"name": "east"}, "spec": {}}) == ""


def test_a_link_that_is_up_shows_what_it_does_not_mirror(observation, west, make) -> None:
    obj = {**link(("front", "MissingNamespace")), "spec": {"targetClusterName": "east",
           "remoteDiscoverySelector": {"matchLabels": {"a": "b"}}}}  # fmt: skip
    state = build(observation(kube={"west": west(links=(obj,)), "east": west()},
                              links=(WantedLink("west", "east", ("flat",)),)))  # fmt: skip
    assert "shop/front is not mirrored" in state.links[0].reason or state.links[0].state != "up"


def test_a_scenario_waits_for_the_condition_of_a_link() -> None:
    assert condition(link(("front", "Mirrored"), ("stock", "Mirrored")), "Mirrored") == "True"
    assert condition(link(("front", "Mirrored"), ("stock", "Error")), "Mirrored") == "False,True"


def test_checks_are_shown_with_what_failed_and_failures_are_problems(observation, west) -> None:
    seen = build(observation(kube={"west": west(), "east": west()}))
    found = [
        Finding("linkerd-existence: control plane pods are ready", "west", True),
        Finding("linkerd-version: cli is up-to-date", "west", True, "is old", "see URL", is_warning=True),
        Finding("linkerd-multicluster: clusters share trust anchors", "west", False, "* east", "see HINT"),
    ]
    state = with_findings(seen, found, at=seen.time)
    jsonschema.validate(json.loads(json.dumps(state.to_json())), status_schema())
    assert [one.result for one in state.checks] == ["success", "warning", "error"]
    assert (
        state.problems[-1].what == "check failed: linkerd-multicluster: clusters share trust anchors: * east"
    )
    assert state.problems[-1].remedy == "see HINT"
    console = Console(width=200)
    with console.capture() as said:
        console.print(table.render(state))
    text = said.get()
    assert "1 of 3 ok" in text
    assert "control plane pods are ready" not in text
    assert all(part in text for part in ("cli is up-to-date", "clusters share trust anchors"))
