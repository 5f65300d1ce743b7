"""Golden metrics: two scrapes of proxies in, the figures of workloads out; Linkerd's names and labels."""

import json
import math
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from lab.observe import table
from lab.observe.golden import Owner, Pod, Stat, Workload, is_meshed, owner, workloads
from lab.observe.readings import Reading, quantile, reading
from lab.observe.schema import stat_schema
from lab.observe.state import Problem

HERE = Path(__file__).parent
INBOUND = (HERE / "linkerd-proxy-inbound.prom").read_text()
OUTBOUND_AND_OLD = (HERE / "linkerd-proxy.prom").read_text()
FRONT = Owner("west", "shop", "front", "Deployment")


def text(good: float, bad: float = 0, plain: float = 0, buckets: dict[str, float] | None = None) -> str:
    """What a proxy exposes that has answered so many requests."""
    lines = [
        f'response_total{{direction="inbound",tls="true",classification="success"}} {good}',
        f'response_total{{direction="inbound",tls="true",classification="failure"}} {bad}',
        f'response_total{{direction="inbound",tls="no_identity",classification="success"}} {plain}',
    ]
    for bound, count in (buckets or {}).items():
        lines.append(f'response_latency_ms_bucket{{direction="inbound",le="{bound}"}} {count}')
    return "\n".join(lines)


def pod(uid: str, later: Reading | None, who: Owner = FRONT, *, meshed: bool = True) -> Pod:
    return Pod(uid, who, meshed, later)


def only(earlier: dict[str, Reading], *pods: Pod) -> Workload:
    (row,) = workloads(earlier, pods)
    return row


def test_rate_success_and_mutual_tls_are_of_what_happened_between_the_scrapes() -> None:
    row = only({"a": reading(text(100, 7, 3), 10.0)}, pod("a", reading(text(160, 27, 23), 20.0)))
    assert (row.rate, row.success, row.mtls) == (10.0, 0.8, 0.8)


def test_pods_of_a_workload_are_added_up_each_by_its_own_time() -> None:
    earlier = {"a": reading(text(0), 0.0), "b": reading(text(0), 1.0)}
    row = only(earlier, pod("a", reading(text(100), 10.0)), pod("b", reading(text(0, 100), 6.0)))
    assert (row.pods, row.meshed, row.answered) == (2, 2, 2)
    assert (row.rate, row.success) == (30.0, 0.5)


def test_a_proxy_that_was_restarted_counts_from_nothing() -> None:
    row = only({"a": reading(text(1000, 50), 0.0)}, pod("a", reading(text(40, 10), 10.0)))
    assert (row.rate, row.success) == (5.0, 0.8)


def test_a_series_that_linkerd_has_forgotten_as_idle_takes_nothing_from_the_others() -> None:
    before = text(100) + '\nresponse_total{direction="inbound",tls="true",client_id="gone"} 5000'
    row = only({"a": reading(before, 0.0)}, pod("a", reading(text(120), 10.0)))
    assert row.rate == 2.0


def test_a_pod_that_was_not_read_before_counts_from_the_next_time_on() -> None:
    new = pod("new", reading(text(100_000), 10.0))
    row = only(
        {"a": reading(text(0), 0.0), "gone": reading(text(9), 0.0)}, pod("a", reading(text(10), 10.0)), new
    )
    assert (row.answered, row.rate) == (2, 1.0)


def test_one_scrape_alone_has_no_rates() -> None:
    row = only({}, pod("a", reading(text(10), 0.0)))
    assert (row.rate, row.success, row.p50_ms, row.mtls) == (None, None, None, None)


def test_a_workload_without_requests_has_a_rate_of_nothing_and_no_shares_of_it() -> None:
    same = text(10, buckets={"1": 4, "+Inf": 10})
    row = only({"a": reading(same, 0.0)}, pod("a", reading(same, 5.0)))
    assert (row.rate, row.success, row.p50_ms, row.mtls) == (0.0, None, None, None)


def test_pods_without_a_proxy_and_silent_proxies_are_told_apart() -> None:
    row = only({}, pod("a", None, meshed=False), pod("b", None), pod("c", reading(text(0), 1.0)))
    assert (row.pods, row.meshed, row.answered) == (3, 2, 1)
    assert str(table.meshed(row)) == "2/3 1 silent"


def test_workloads_without_any_proxy_are_left_out_and_clusters_keep_their_order() -> None:
    rows = workloads(
        {},
        [
            pod("1", None, Owner("west", "shop", "stock", "Deployment")),
            pod("2", None, Owner("west", "kube-system", "dns", "DaemonSet"), meshed=False),
            pod("3", None, Owner("east", "shop", "front", "Deployment")),
            pod("4", None, Owner("west", "shop", "front", "StatefulSet")),
        ],
    )
    assert [(row.cluster, table.workload_name(row)) for row in rows] == [
        ("west", "shop/front (StatefulSet)"),
        ("west", "shop/stock"),
        ("east", "shop/front"),
    ]


def test_latencies_of_all_pods_make_one_distribution() -> None:
    none = {"10": 0, "20": 0, "+Inf": 0}
    earlier = {name: reading(text(0, buckets=none), 0.0) for name in ("a", "b")}
    later = [({"10": 90, "20": 90, "+Inf": 90}), ({"10": 0, "20": 10, "+Inf": 10})]
    pods = [pod(n, reading(text(1, buckets=b), 5.0)) for n, b in zip(("a", "b"), later, strict=True)]
    row = only(earlier, *pods)
    assert row.p50_ms == pytest.approx(10 * 50 / 90)
    assert row.p99_ms == pytest.approx(10 + 10 * 9 / 10)


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({1.0: 0, 2.0: 10, math.inf: 10}, 0.5, 1.5),
        ({1.0: 10, 2.0: 10, math.inf: 10}, 0.5, 0.5),
        ({1.0: 5, 2.0: 8, 3.0: 10, math.inf: 10}, 0.9, 2.5),
        ({1.0: 5, 2.0: 5, math.inf: 10}, 0.99, 2.0),  # beyond the last bound: the bound
        ({1.0: 4, 2.0: 1, math.inf: 4}, 1.0, 1.0),  # of a restarted proxy, whose counts are uneven
        ({1.0: 0, math.inf: 0}, 0.5, None),
        ({math.inf: 10}, 0.5, None),
        ({1.0: 4, 2.0: 10}, 0.5, None),  # without the infinite bucket nobody knows how many there were
        ({}, 0.5, None),
    ],
)
def test_quantiles_are_those_of_prometheus(
    buckets: dict[float, float], share: float, expected: float | None
) -> None:
    assert quantile(share, buckets) == pytest.approx(expected)


def test_linkerds_own_traffic_and_the_kubelets_probes_are_nobodys_requests() -> None:
    row = only({"a": Reading(0.0, {})}, pod("a", reading(INBOUND, 10.0)))
    assert row.rate == pytest.approx((900 + 60 + 240 + 7) / 10)  # 7: a route that somebody has named probe
    assert row.success == pytest.approx(1147 / 1207)
    assert row.mtls == pytest.approx(967 / 1207)
    assert row.p50_ms == pytest.approx(1 + 350 / 600)
    assert row.p99_ms == 2
    assert row.connections == 3


def test_outbound_requests_and_labels_of_older_releases_do_not_disturb() -> None:
    row = only({"a": Reading(0.0, {})}, pod("a", reading(OUTBOUND_AND_OLD, 10.0)))
    assert (row.rate, row.success, row.mtls, row.connections) == (3.1, 1.0, 0.0, 0)


def object_of(kind: str, name: str, proxy_in: str = "containers", **labels: str) -> dict:
    return {
        "metadata": {
            "namespace": "shop", "name": f"{name}-x", "labels": labels,
            "ownerReferences": [{"kind": kind, "name": name, "controller": True}],
        },
        "spec": {"containers": [{"name": "app"}], proxy_in: [{"name": "linkerd-proxy"}]},
    }  # fmt: skip


def test_the_workload_of_a_pod_is_what_a_user_has_made() -> None:
    labels = {"pod-template-hash": "6f9d"}
    assert owner("west", object_of("ReplicaSet", "front-6f9d", **labels)) == FRONT
    assert owner("west", object_of("ReplicaSet", "front")).kind == "ReplicaSet"
    assert owner("west", object_of("StatefulSet", "db")) == Owner("west", "shop", "db", "StatefulSet")
    assert owner("west", {"metadata": {"namespace": "shop", "name": "alone"}}).kind == "Pod"


@pytest.mark.parametrize(
    ("place", "expected"), [("containers", True), ("initContainers", True), ("x", False)]
)
def test_a_proxy_is_found_among_containers_and_sidecars(place: str, expected: bool) -> None:
    assert is_meshed(object_of("ReplicaSet", "front", place)) is expected


def page(stat: Stat) -> str:
    console = Console(width=160)
    with console.capture() as said:
        console.print(table.stat(stat))
    return said.get()


def test_the_page_has_a_line_per_workload_and_says_what_could_not_be_read() -> None:
    row = only({"a": reading(text(0), 0.0)}, pod("a", reading(text(390, 10), 10.0)), pod("b", None))
    stat = Stat("demo", 1.0, 6.0, (row,), (Problem("cluster east", "the cluster is paused", "lab status"),))
    jsonschema.Draft202012Validator.check_schema(stat_schema())
    jsonschema.validate(json.loads(json.dumps(stat.to_json())), stat_schema())
    line = next(line for line in page(stat).splitlines() if "shop/front" in line)
    assert " ".join(line.split()) == "west shop/front 2/2 1 silent 97.50 % 40.0/s - - 100 % 0"
    assert "the cluster is paused" in page(stat)


def test_a_lab_without_a_mesh_says_so() -> None:
    assert "no workload here has a proxy" in page(Stat("demo", 1.0, 6.0))
