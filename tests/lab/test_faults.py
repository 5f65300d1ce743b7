"""Every first fault, in gateway, flat and mixed labs: the other cluster is unharmed, traffic shifts, and
healing brings everything back."""

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.any_engine]


@pytest.fixture(
    scope="module",
    params=["gateway", *(pytest.param(name, marks=pytest.mark.slow) for name in ("flat", "mixed"))],
)
def lab(cli: Cli, request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    yield from bring_up(cli, str(request.param), f"faults-{request.param}")


@pytest.fixture(autouse=True)
def healed(lab: RunningLab) -> Iterator[None]:
    """Each test starts in, and must get back to, a lab without faults and problems."""
    lab.eventually("a healthy lab to start from", lab.healthy, within=60)
    yield
    lab.run("fault.heal", "--all")
    assert lab.cli.json("fault.list", "--lab", lab.name) == []
    lab.eventually("healthy again after healing", lab.healthy, within=60)


def answered_by(lab: RunningLab, cluster: str, service: str, *expected: str) -> bool:
    """Whether recent calls all succeeded and came from exactly these clusters."""
    figures = lab.traffic(cluster, service)
    return bool(figures) and figures["success"] == 1 and set(figures["answeredBy"]) == set(expected)


def cluster_state(lab: RunningLab, name: str) -> str:
    return str(next(c["state"] for c in lab.status()["clusters"] if c["name"] == name))


def in_force(lab: RunningLab) -> list[tuple[str, str]]:
    return [(row["kind"], row["actual"]) for row in lab.cli.json("fault.list", "--lab", lab.name)]


def test_callers_move_to_the_other_cluster_while_there_is_no_local_pod_and_back(lab: RunningLab) -> None:
    lab.run("fault.scale", "west/shop/front")
    lab.eventually("answers from east", lambda: answered_by(lab, "west", "front", "east"))
    assert in_force(lab) == [("scale", "in force")]
    lab.run("fault.heal", "--all")
    lab.eventually(
        "answers from west again", lambda: lab.traffic("west", "front")["answeredBy"].get("west", 0) > 0.98
    )


def test_killed_pods_come_back_and_callers_go_on(lab: RunningLab) -> None:
    before = lab.kubectl("west", "get", "pods", "-n", "shop", "-l", "app=front", "-o", "name")
    lab.run("fault.kill", "west/shop/front")
    assert before != lab.kubectl("west", "get", "pods", "-n", "shop", "-l", "app=front", "-o", "name")
    lab.eventually("every call answered", lambda: lab.traffic("west", "front").get("success") == 1)


def test_a_paused_cluster_leaves_the_other_unharmed(lab: RunningLab) -> None:
    lab.run("fault.pause", "east")
    assert cluster_state(lab, "east") == "paused"
    assert cluster_state(lab, "west") == "ready"
    lab.eventually("west answers west", lambda: answered_by(lab, "west", "front", "west"))
    assert in_force(lab) == [("pause", "in force")]


def test_partitioned_clusters_each_serve_their_own(lab: RunningLab) -> None:
    lab.run("fault.partition", "west", "east")
    assert {link["state"] for link in lab.status()["links"]} == {"partitioned"}
    for cluster in ("west", "east"):
        lab.eventually(
            f"{cluster} serves itself", lambda cluster=cluster: answered_by(lab, cluster, "front", cluster)
        )
    assert in_force(lab) == [("partition", "in force")]


def test_a_lost_api_server_stops_no_traffic_in_either_cluster(lab: RunningLab) -> None:
    lab.run("fault.api", "east")
    assert cluster_state(lab, "east") == "unreachable"
    for service in ("front", "echo-east"):
        lab.eventually(
            f"{service} answers", lambda service=service: lab.traffic("west", service).get("success") == 1
        )
    assert in_force(lab) == [("api", "in force")]


def test_a_stopped_control_plane_stops_no_traffic_in_either_cluster(lab: RunningLab) -> None:
    lab.run("fault.control-plane", "east")
    assert cluster_state(lab, "east") == "degraded"
    assert cluster_state(lab, "west") == "ready"
    for cluster, service in (
        ("west", "front"),
        ("west", "echo-east"),
        ("east", "front"),
        ("east", "echo-west"),
    ):
        assert lab.traffic(cluster, service)["success"] == 1, (cluster, service)


def test_a_stopped_gateway_takes_gateway_traffic_only(lab: RunningLab) -> None:
    lab.run("fault.gateway", "east")
    echo = 1 if lab.name == "faults-flat" else 0  # exported flat there, through the gateway elsewhere
    lab.eventually("echo as its mode says", lambda: lab.traffic("west", "echo-east").get("success") == echo)
    assert lab.traffic("west", "front")["success"] == 1
    if lab.name == "faults-mixed":
        assert lab.traffic("west", "front-east")["success"] == 1  # flat: no gateway in its path


def test_an_app_whose_certificate_nobody_believes_is_not_spoken_to(lab: RunningLab) -> None:
    lab.run("fault.certificate", "east/echo/app=echo", "--problem", "foreign-root")
    assert in_force(lab) == [("certificate", "in force")]
    lab.eventually("no answers", lambda: lab.traffic("west", "echo-east").get("success") == 0)
    assert lab.traffic("west", "front")["success"] == lab.traffic("east", "front")["success"] == 1


@pytest.mark.slow
def test_two_faults_combine_and_healing_one_leaves_the_other(lab: RunningLab) -> None:
    lab.run("fault.partition", "west", "east")
    lab.run("fault.api", "east")
    lab.run("fault.heal", "api-1")
    assert in_force(lab) == [("partition", "in force")]
    assert cluster_state(lab, "east") == "ready"
