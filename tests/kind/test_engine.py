"""The engine on a real Docker engine: networks, containers, and what the kernels of nodes hold."""

import asyncio

import pytest
import yaml

from lab.base.errors import LabError
from lab.engines.protocol import Drop, EngineFault
from lab.ops import status
from tests.kind.conftest import TOPOLOGY, Rig

pytestmark = [pytest.mark.slow, pytest.mark.netns]


def only(name: str) -> frozenset[str]:
    return frozenset({name})


async def test_a_lab_comes_up_is_found_again_and_goes_with_all_its_traces(rig: Rig) -> None:
    assert not rig.engine.is_running(rig.dir)
    await rig.up()
    assert rig.engine.is_running(rig.dir)
    state = await rig.engine.observe(rig.dir)
    assert {name: one.node_ip for name, one in state.clusters.items()} == {
        name: rig.address(name) for name in ("west", "east", "far")
    }
    assert all(one.is_running and one.api_is_running for one in state.clusters.values())
    created = [call for call in rig.calls() if call["argv"][0] == "create"]
    assert {call["network"] for call in created} == {"multicluster-lab-two"}
    await rig.up()
    assert [call["argv"] for call in rig.calls()] == [["version"]]  # nothing to make
    await rig.engine.remove(rig.dir, purge=True)
    await rig.engine.remove(rig.dir, purge=True)  # can be repeated
    with rig.docker.client() as client:
        assert client.containers.list(all=True) == []
        assert client.networks.list(names=["multicluster-lab-two"]) == []
        assert client.volumes.list() == []
    assert not rig.engine.is_running(rig.dir)


async def test_removing_a_lab_touches_nothing_of_others(rig: Rig) -> None:
    with rig.docker.client() as client:
        stranger = client.networks.create("kind")
        theirs = client.containers.run(
            "lab.test/node:1", detach=True, network="kind", labels={"io.x-k8s.kind.cluster": "west"}
        )
        await rig.up()
        await rig.engine.remove(rig.dir)
        assert {one.id for one in client.networks.list(names=["kind"])} == {stranger.id}
        assert [one.id for one in client.containers.list()] == [theirs.id]


async def test_the_kubeconfigs_name_the_published_port_and_the_nodes_address(rig: Rig) -> None:
    await rig.up()
    outside = yaml.safe_load(rig.dir.kubeconfig.read_text())
    inside = yaml.safe_load(rig.dir.inside_kubeconfig.read_text())
    servers = {one["name"]: one["cluster"]["server"] for one in inside["clusters"]}
    assert servers["two-west"] == f"https://{rig.address('west')}:6443"
    assert all(one["cluster"]["server"].startswith("https://127.0.0.1:") for one in outside["clusters"])
    assert outside["users"][0]["user"] == {"client-certificate-data": "Q1JU", "client-key-data": "S0VZ"}
    assert rig.dir.kubeconfig.stat().st_mode & 0o777 == 0o600


async def test_limits_are_dockers(rig: Rig) -> None:
    await rig.up()
    with rig.docker.client() as client:
        limits = client.containers.get("two-west-control-plane").attrs["HostConfig"]
    assert (limits["CpuQuota"] / limits["CpuPeriod"], limits["Memory"]) == (1.5, 256 << 20)


async def test_flat_clusters_see_the_address_of_the_pod_that_calls(rig: Rig) -> None:
    await rig.up()
    rig.give_pod("west", "10.20.0.5", "10.20.0.0/16")
    rig.give_pod("east", "10.21.0.5", "10.21.0.0/16")
    in_pod = ("ip", "netns", "exec", "pod")
    table = "add table ip t; add chain ip t c { type filter hook input priority 0; }"
    rig.inside("east", *in_pod, "nft", f"{table}; add rule ip t c ip saddr 10.20.0.5 counter")
    for _ in range(2):
        said = rig.inside("west", *in_pod, "ping", "-c", "2", "-W", "5", "10.21.0.5")
        assert " 0% packet loss" in said
        seen = rig.inside("east", *in_pod, "nft", "list", "table", "ip", "t")
        assert "counter packets 2 " in seen, seen
        # The second time without our rule: masqueraded, so that no more are counted.
        rig.inside("west", "nft", "flush chain inet multicluster_lab kept")


async def test_clusters_that_no_flat_link_joins_have_no_routes_to_each_other(rig: Rig) -> None:
    await rig.up()
    assert rig.inside("far", "ip", "route", "show", "proto", "77") == ""
    assert "10.22" not in rig.inside("west", "ip", "route", "show", "proto", "77")


def reaches(rig: Rig, source: str, target: str) -> bool:
    said = rig.inside(source, "ping", "-c1", "-W1", rig.address(target), code=None)
    return " 0% packet loss" in said


async def test_a_partition_cuts_both_ways_and_its_end_is_read_back(rig: Rig) -> None:
    await rig.up()
    fault = EngineFault("partition", only("west"), only("east"))
    assert reaches(rig, "west", "east")
    await rig.engine.apply_fault(rig.dir, fault)
    assert (await rig.engine.read_faults(rig.dir)).drops == {Drop("west", "east"), Drop("east", "west")}
    assert not reaches(rig, "west", "east")
    assert reaches(rig, "far", "east")  # and nobody else is cut
    rig.inside("west", "nft", "flush", "ruleset")
    actual = await rig.engine.read_faults(rig.dir)
    assert actual.touches(fault)
    assert not actual.holds(fault)
    await rig.engine.clear_fault(rig.dir, fault)
    assert (await rig.engine.read_faults(rig.dir)).drops == frozenset()
    assert reaches(rig, "west", "east")


async def test_a_rate_slows_one_direction_and_a_later_one_takes_its_place(rig: Rig) -> None:
    await rig.up()
    slow, slower = (
        EngineFault("impair", only("east"), only("west"), one_way=True, settings=(("rate", rate),))
        for rate in (1e6, 64e3)
    )
    await rig.engine.apply_fault(rig.dir, slow)
    await rig.engine.apply_fault(rig.dir, slower)
    actual = await rig.engine.read_faults(rig.dir)
    assert [one.settings for one in actual.impaired] == [(("rate", 1e6),), (("rate", 64e3),)]
    assert rig.milliseconds("west", "east") > 500  # 8 kB less the first packet take 0.8 s at 64 kbit/s
    assert rig.milliseconds("west", "far") < 300
    await rig.engine.clear_fault(rig.dir, slower)
    assert 40 < rig.milliseconds("west", "east") < 400
    rig.inside("west", "tc", "qdisc", "del", "dev", "eth0", "root")
    assert not (await rig.engine.read_faults(rig.dir)).holds(slow)
    await rig.engine.clear_fault(rig.dir, slow)
    assert (await rig.engine.read_faults(rig.dir)).impaired == ()
    assert rig.milliseconds("west", "east") < 300


async def test_a_delay_is_made_by_netem_or_refused_and_leaves_what_was_there(rig: Rig) -> None:
    await rig.up()
    rate = EngineFault("impair", only("east"), only("west"), one_way=True, settings=(("rate", 1e6),))
    delay = EngineFault("impair", only("east"), only("west"), one_way=True, settings=(("delay", 0.4),))
    await rig.engine.apply_fault(rig.dir, rate)
    if "unknown" in rig.inside("far", "tc", "qdisc", "add", "dev", "lo", "root", "netem", code=None):
        with pytest.raises(LabError, match="need netem"):
            await rig.engine.apply_fault(rig.dir, delay)
        assert not (await rig.engine.read_faults(rig.dir)).touches(delay)
    else:
        await rig.engine.apply_fault(rig.dir, delay)
        assert rig.milliseconds("west", "east") > 400
        await rig.engine.clear_fault(rig.dir, delay)
    assert (await rig.engine.read_faults(rig.dir)).holds(rate)


async def test_a_one_way_partition_of_a_paused_cluster_is_set_and_lifted_from_beside_it(rig: Rig) -> None:
    await rig.up()
    pause = EngineFault("pause", only("east"))
    cut = EngineFault("partition", only("east"), only("west"), one_way=True)
    await rig.engine.apply_fault(rig.dir, pause)
    await rig.engine.apply_fault(rig.dir, cut)
    actual = await rig.engine.read_faults(rig.dir)
    assert (actual.paused, actual.drops) == ({"east"}, {Drop("west", "east")})
    state = await rig.engine.observe(rig.dir)
    assert state.clusters["east"].paused
    await rig.engine.clear_fault(rig.dir, cut)
    await rig.engine.clear_fault(rig.dir, pause)
    actual = await rig.engine.read_faults(rig.dir)
    assert (actual.paused, actual.drops) == (frozenset(), frozenset())


async def test_a_stopped_api_server_is_gone_until_it_is_started_again(rig: Rig) -> None:
    await rig.up()
    fault = EngineFault("component", only("west"), component="apiserver")
    await rig.engine.apply_fault(rig.dir, fault)
    state = await rig.engine.observe(rig.dir)
    assert not state.clusters["west"].api_is_running
    assert state.clusters["west"].is_running
    await rig.engine.clear_fault(rig.dir, fault)
    assert (await rig.engine.observe(rig.dir)).clusters["west"].api_is_running


async def test_nodes_that_come_back_with_other_addresses_are_found_and_wired_anew(rig: Rig) -> None:
    await rig.up()
    before = {name: rig.address(name) for name in ("west", "east")}
    with rig.docker.client() as client:
        nodes = {name: client.containers.get(f"two-{name}-control-plane") for name in before}
        for node in nodes.values():
            node.stop(timeout=1)
        for name in sorted(before, key=lambda one: before[one], reverse=True):
            nodes[name].start()
    after = {name: rig.address(name) for name in before}
    assert after == {"west": before["east"], "east": before["west"]}
    state = await rig.engine.observe(rig.dir)
    assert {name for name, one in state.clusters.items() if not one.is_complete} == {"west", "east"}
    assert f"is at https://{after['west']}:6443 now" in state.clusters["west"].adrift
    assert f"told https://{before['west']}:6443" in state.clusters["west"].adrift
    seen = (await asyncio.to_thread(status.status, "two")).data
    told = {one["where"]: (one["what"], one["remedy"]) for one in seen["problems"]}
    assert told["cluster west"] == (f"is not as `up` left it: {state.clusters['west'].adrift}", "lab up")
    await rig.up()
    assert all(one.is_complete for one in (await rig.engine.observe(rig.dir)).clusters.values())
    assert f"via {after['east']}" in rig.inside("west", "ip", "route", "show", "10.21.0.0/16")
    inside = yaml.safe_load(rig.dir.inside_kubeconfig.read_text())
    servers = {one["name"]: one["cluster"]["server"] for one in inside["clusters"]}
    assert servers["two-west"] == f"https://{after['west']}:6443"


async def test_a_lab_survives_a_restart_of_docker(rig: Rig) -> None:
    rig = rig.changed(TOPOLOGY.replace("far -> west", "{from: far, to: west, rate: 64kbit}"))
    await rig.up()
    await asyncio.to_thread(rig.docker.stop)
    assert not rig.engine.is_running(rig.dir)
    await asyncio.to_thread(rig.docker.start)
    rig.calls()
    await rig.up()
    assert [call["argv"][0] for call in rig.calls()] == ["version"]  # nothing was made anew
    for here, there in (("west", "east"), ("east", "west")):
        network = rig.plan.cluster(there).pod_cidr
        assert f"via {rig.address(there)}" in rig.inside(here, "ip", "route", "show", network)
    assert rig.milliseconds("west", "far") > 500


async def test_a_network_in_the_way_is_named_before_anything_is_made(rig: Rig) -> None:
    import docker

    pool = docker.types.IPAMPool(subnet="172.31.0.0/16")
    with rig.docker.client() as client:
        client.networks.create("theirs", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        with pytest.raises(
            LabError, match=r"network theirs has 172.31.0.0/16, which overlaps .* 172.31.7.0/24"
        ):
            await rig.up()
        assert client.networks.list(names=["multicluster-lab-two"]) == []


async def test_a_failure_of_kind_is_told_with_its_words_and_a_remedy(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIND_FAILS_WITH", 'ERROR: failed to create cluster: failed to pull image "x"')
    with pytest.raises(LabError) as caught:
        await rig.up()
    assert "kind create cluster --name=two-" in str(caught.value)
    assert 'failed to pull image "x"' in str(caught.value)
    assert "images.load" in caught.value.remedy


async def test_a_killed_node_stays_down_until_it_is_healed_and_comes_back_wired(rig: Rig) -> None:
    await rig.up()
    fault = EngineFault("node", only("west"))
    await rig.engine.apply_fault(rig.dir, fault)
    state = await rig.engine.observe(rig.dir)
    assert not state.clusters["west"].is_running
    assert state.clusters["west"].is_complete  # so that `up` does not take it for one to be completed
    await rig.engine.clear_fault(rig.dir, fault)
    assert (await rig.engine.observe(rig.dir)).clusters["west"].is_running
    there = rig.address("east")
    assert f"via {there}" in rig.inside("west", "ip", "route", "show", rig.plan.cluster("east").pod_cidr)
    with rig.docker.client() as client:
        node = client.containers.get("two-west-control-plane")
    assert node.attrs["HostConfig"]["RestartPolicy"]["Name"] == "on-failure"
