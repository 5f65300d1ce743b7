"""What users of the apps feel of nodes, HTTP, DNS and single directions that fail, by gateway and flat."""

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow]
RESOLVE = "import socket; socket.gethostbyname('front.shop')"


@pytest.fixture(scope="module", params=["gateway", "flat"])
def lab(cli: Cli, request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    yield from bring_up(cli, str(request.param), f"catalogue-{request.param}")


@pytest.fixture(autouse=True)
def healed(lab: RunningLab) -> Iterator[None]:
    """Each test starts in, and must get back to, a lab without faults and problems."""
    lab.eventually("a healthy lab to start from", lab.healthy, within=60)
    yield
    lab.run("fault.heal", "--all")
    assert lab.cli.json("fault.list", "--lab", lab.name) == []
    lab.eventually("healthy again after healing", lab.healthy, within=60)


def in_force(lab: RunningLab) -> list[tuple[str, str]]:
    return [(row["kind"], row["actual"]) for row in lab.cli.json("fault.list", "--lab", lab.name)]


def success(lab: RunningLab, cluster: str, service: str) -> float:
    return float(lab.traffic(cluster, service).get("success", -1))


def test_a_killed_node_takes_its_pods_and_leaves_its_api_and_the_other_cluster(lab: RunningLab) -> None:
    lab.run("fault.node", "east")
    assert in_force(lab) == [("node", "in force")]
    assert "east" in lab.kubectl("east", "get", "nodes")
    lab.eventually("east's app is gone", lambda: success(lab, "west", "echo-east") == 0)
    assert success(lab, "west", "front") == 1
    problems = {one["where"]: one for one in lab.status()["problems"]}
    assert "its node does not run" in problems["cluster east"]["what"]
    assert problems["cluster east"]["remedy"] == "lab fault.heal --id node-1"


def test_a_restarted_node_leaves_nothing_to_heal(lab: RunningLab) -> None:
    lab.run("fault.node", "east", "--restart")
    assert in_force(lab) == []
    lab.eventually("east's app answers again", lambda: success(lab, "west", "echo-east") == 1, within=60)


def test_failing_requests_are_felt_from_the_other_cluster_in_their_share(lab: RunningLab) -> None:
    lab.run("fault.http", "east/echo/app=echo", "--status", "500", "--share", "50%")
    assert in_force(lab) == [("http", "in force")]
    lab.eventually("about half of the calls", lambda: 0.2 < success(lab, "west", "echo-east") < 0.8)
    assert success(lab, "west", "front") == 1


def test_the_proxies_of_a_failing_app_have_measured_the_failures(lab: RunningLab) -> None:
    def measured() -> list[float]:
        rows = lab.cli.json("stat", "--lab", lab.name, "--namespace", "echo")["workloads"]
        return [row["success"] or 0 for row in rows]  # west's, then east's

    def is_east_failing() -> bool:
        return len(found := measured()) == 2 and found[0] == 1 and 0.2 < found[1] < 0.8

    lab.run("fault.http", "east/echo/echo", "--status", "503", "--share", "50%")
    lab.eventually("about half of the responses", is_east_failing)
    lab.run("fault.heal", "--all")
    lab.eventually("all again", lambda: measured() == [1, 1])


def test_held_up_requests_are_slow_from_the_other_cluster(lab: RunningLab) -> None:
    lab.run("fault.http", "east/echo/echo", "--delay", "300ms")
    lab.eventually("slow answers", lambda: lab.traffic("west", "echo-east").get("p50Ms", 0) >= 300)
    assert success(lab, "west", "echo-east") == 1


def test_http_faults_that_nobody_could_make_are_refused(lab: RunningLab) -> None:
    assert (
        "no Deployment shop/nobody"
        in lab.run("fault.http", "west/shop/nobody", "--status", "500", code=2).stderr
    )
    unmeshed = lab.run("fault.http", "west/linkerd/linkerd-identity", "--status", "500", code=2)
    assert "has no pod in the mesh" in unmeshed.stderr
    assert in_force(lab) == []


def test_pods_of_one_cluster_resolve_no_names_while_its_dns_fails(lab: RunningLab) -> None:
    lab.run("fault.dns", "west", "--servfail")
    assert in_force(lab) == [("dns", "in force")]
    assert "failure in name resolution" in resolve(lab, "west", code=1)
    resolve(lab, "east")
    lab.run("fault.heal", "--all")
    resolve(lab, "west")


def resolve(lab: RunningLab, cluster: str, code: int = 0) -> str:
    where = ("-n", "shop", "deploy/front", "-c", "front")
    return lab.kubectl(cluster, "exec", *where, "--", "python3", "-c", RESOLVE, code=code)


def test_a_cluster_with_expired_certificates_is_cut_off_and_healing_one_fault_leaves_the_other(
    lab: RunningLab,
) -> None:
    lab.run("fault.certificate", "east")
    lab.run("fault.http", "west/shop/front", "--delay", "300ms")
    for cluster, service in (("west", "echo-east"), ("east", "front"), ("east", "echo-west")):
        lab.eventually(f"{cluster} fails", lambda c=cluster, s=service: success(lab, c, s) == 0)
    lab.run("fault.heal", "certificate-1")
    assert in_force(lab) == [("http", "in force")]
    lab.eventually("east is back", lambda: success(lab, "east", "echo-west") == 1)
    assert lab.traffic("west", "front")["p50Ms"] >= 300


def test_certificates_by_a_clock_that_is_a_day_ahead_are_refused_and_those_of_a_late_one_are_not(
    lab: RunningLab,
) -> None:
    lab.run("fault.clock", "east/echo/echo", "--skew=-2h")
    assert in_force(lab) == [("clock", "in force")]
    assert success(lab, "west", "echo-east") == 1  # they have 22 hours to go
    lab.run("fault.clock", "east/echo/echo", "--skew", "25h")
    lab.eventually("no answers", lambda: success(lab, "west", "echo-east") == 0)
    lab.run("fault.heal", "clock-2")
    lab.eventually("answers", lambda: success(lab, "west", "echo-east") == 1)
    assert in_force(lab) == [("clock", "in force")]


def test_a_cut_in_one_direction_is_one_and_stops_calls_both_ways(lab: RunningLab) -> None:
    lab.run("fault.partition", "west->east")
    assert in_force(lab) == [("partition", "in force")]
    for caller, service in (("west", "echo-east"), ("east", "echo-west")):
        lab.eventually(f"{service} fails", lambda c=caller, s=service: success(lab, c, s) == 0)
        assert success(lab, caller, "front") == 1


def test_damaged_packets_are_repeated_and_cost_time_only(lab: RunningLab) -> None:
    lab.run("fault.impair", "west", "east", "--corrupt", "5%")
    assert in_force(lab) == [("impair", "in force")]
    lab.eventually("echo answers", lambda: success(lab, "west", "echo-east") == 1)


def test_a_share_of_pods_is_killed(lab: RunningLab) -> None:
    lab.kubectl("west", "scale", "-n", "shop", "deploy/front", "--replicas=2")
    lab.kubectl("west", "rollout", "status", "-n", "shop", "deploy/front")
    before = pods(lab)
    lab.run("fault.kill", "west/shop/front", "--share", "50%")
    assert len(before & pods(lab)) == 1
    lab.kubectl("west", "scale", "-n", "shop", "deploy/front", "--replicas=1")


def pods(lab: RunningLab) -> set[str]:
    return set(lab.kubectl("west", "get", "pods", "-n", "shop", "-l", "app=front", "-o", "name").split())
