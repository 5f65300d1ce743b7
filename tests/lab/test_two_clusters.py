"""The default topology, as a new user meets it: it comes up healthy, meshed and linked in all modes."""

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Cli, RunningLab, bring_up, left_behind

pytestmark = [pytest.mark.netns, pytest.mark.any_engine]
GATEWAY = "linkerd-gateway.linkerd-multicluster"
LOADGEN = "loadgen.traffic"


@pytest.fixture(scope="module")
def lab(cli: Cli) -> Iterator[RunningLab]:
    yield from bring_up(cli, "two-clusters", "default")


def test_both_clusters_their_control_planes_and_links_are_healthy(lab: RunningLab) -> None:
    state = lab.status()
    assert state["state"] == "ready", state["problems"]
    assert {c["name"]: (c["state"], c["controlPlane"]["state"]) for c in state["clusters"]} == {
        "west": ("ready", "ready"),
        "east": ("ready", "ready"),
    }
    assert {(k["from"], k["to"]): (k["state"], k["gatewayAlive"]) for k in state["links"]} == {
        ("west", "east"): ("up", True),
        ("east", "west"): ("up", True),
    }


def test_kubectl_shows_the_control_plane_as_pods(lab: RunningLab) -> None:
    pods = lab.kubectl("west", "get", "pods", "-A", "--no-headers")
    for name in (
        "linkerd-identity",
        "linkerd-destination",
        "linkerd-proxy-injector",
        "linkerd-gateway",
        "controller-east",
    ):
        assert f" {name}-" in pods, pods
    for name in ("front", "catalog", "stock"):
        line = next(row for row in pods.splitlines() if f" {name}-" in row)
        assert " 2/2 " in line, line  # the app and its sidecar


def test_flat_keeps_the_clients_identity_and_a_gateway_shows_its_own(lab: RunningLab) -> None:
    flat = lab.run_client("west", "http://front-east.shop")
    gateway = lab.run_client("west", "http://echo-east.echo")
    assert flat["cluster"] == "east"
    assert flat["client"].startswith(f"{LOADGEN}.serviceaccount.identity.linkerd.")
    assert gateway["cluster"] == "east"
    assert gateway["client"].startswith(f"{GATEWAY}.serviceaccount.identity.linkerd.")


def test_http_grpc_and_opaque_tcp_all_arrive_under_mtls(lab: RunningLab) -> None:
    answer = lab.run_client("west", "http://front.shop")
    assert answer["client"].startswith(f"{LOADGEN}.")  # HTTP
    assert answer["catalog"]["client"].startswith("front.shop.")  # gRPC
    assert answer["catalog"]["stock"]["app"] == "stock"  # TCP


def test_a_forged_identity_header_does_not_reach_the_app(lab: RunningLab) -> None:
    answer = lab.run_client("west", "http://front.shop", "--header", "l5d-client-id: admin.shop")
    assert answer["client"].startswith(f"{LOADGEN}.")


def test_a_gateway_mirror_has_endpoints_and_a_flat_one_has_none(lab: RunningLab) -> None:
    gateway = lab.kubectl(
        "west", "get", "endpoints", "-n", "echo", "echo-east", "-o", "jsonpath={.subsets[0].ports[0].port}"
    )
    assert gateway.strip() == "4143"
    assert "NotFound" in lab.kubectl("west", "get", "endpoints", "-n", "shop", "front-east", code=1)


def test_a_federated_service_is_answered_by_both_clusters(lab: RunningLab) -> None:
    lab.eventually(
        "answers from both clusters",
        lambda: set(lab.traffic("west", "front-federated").get("answeredBy", {})) == {"west", "east"},
    )


def test_the_proxies_have_measured_what_the_callers_sent(lab: RunningLab) -> None:
    def agree() -> bool:
        seen = lab.cli.json("stat", "--lab", lab.name, "--namespace", "echo")
        rows = {row["cluster"]: row for row in seen["workloads"]}
        if seen["problems"] or rows.keys() != {"west", "east"}:
            return False
        echo, sent = rows["west"], lab.traffic("east", "echo-west")["rate"]  # 10/s; nobody else calls it
        assert (echo["kind"], echo["name"], echo["meshed"]) == ("Deployment", "echo", 1)
        is_rate_right = sent > 5 and abs(echo["rate"] - sent) < 0.25 * sent
        is_latency_known = echo["p50Ms"] and 0 < echo["p50Ms"] <= echo["p99Ms"]
        return bool(is_rate_right and is_latency_known and echo["success"] == echo["mtls"] == 1)

    lab.eventually("the same figures from both ends", agree)


def test_up_again_has_nothing_to_do(lab: RunningLab) -> None:
    again = lab.cli.run("up", "two-clusters", "--lab", lab.name)
    assert "nothing to do" in again.stderr
    assert "nothing to do" in lab.cli.run("plan", "two-clusters", "--lab", lab.name).stdout


def test_a_deleted_deployment_is_planned_and_brought_back_and_nothing_else(lab: RunningLab) -> None:
    lab.kubectl("west", "delete", "deployment", "-n", "echo", "echo")
    steps = lab.cli.json("up", "two-clusters", "--lab", lab.name, "--dry-run")
    assert [(step["verb"], step["target"]) for step in steps] == [("deploy-app", "echo in west")]
    lab.cli.run("up", "two-clusters", "--lab", lab.name)
    assert "1/1" in lab.kubectl("west", "get", "deployment", "-n", "echo", "echo", "--no-headers")


def test_mirrors_follow_export_unexport_and_relabel(lab: RunningLab) -> None:
    label = "mirror.linkerd.io/exported"
    lab.kubectl("east", "label", "service", "-n", "shop", "catalog", f"{label}=true")
    lab.eventually(
        "a gateway mirror", lambda: "catalog-east" in lab.kubectl("west", "get", "endpoints", "-n", "shop")
    )
    lab.kubectl(
        "east", "label", "service", "-n", "shop", "catalog", f"{label}=remote-discovery", "--overwrite"
    )
    lab.eventually(
        "a flat mirror", lambda: "catalog-east" not in lab.kubectl("west", "get", "endpoints", "-n", "shop")
    )
    assert "catalog-east" in lab.kubectl("west", "get", "services", "-n", "shop")
    lab.kubectl("east", "label", "service", "-n", "shop", "catalog", f"{label}-")
    lab.eventually(
        "no mirror", lambda: "catalog-east" not in lab.kubectl("west", "get", "services", "-n", "shop")
    )


def test_removing_a_link_removes_its_mirrors_and_adding_it_brings_them_back(lab: RunningLab) -> None:
    lab.run("link.remove", "west", "east")
    lab.eventually("no mirrors", lambda: "-east" not in lab.kubectl("west", "get", "services", "-A"))
    assert "controller-east" not in lab.kubectl("west", "get", "deployments", "-A")
    assert "cluster-credentials-east" not in lab.kubectl("west", "get", "secrets", "-A")
    lab.run("link.add", "west", "east")
    lab.eventually("healthy again", lab.healthy)


@pytest.mark.embedded_only
def test_down_leaves_nothing_and_can_be_repeated(lab: RunningLab) -> None:
    pid = lab.host_pid()
    assert left_behind(pid)
    lab.run("down")
    assert left_behind(pid) == []
    lab.run("down")
