"""Links that are slow by the topology, on a real Docker engine: what packets suffer, also under faults."""

import pytest

from lab.base.errors import EngineUnavailable
from lab.engines.protocol import EngineFault
from tests.kind.conftest import TOPOLOGY, Rig

pytestmark = [pytest.mark.slow, pytest.mark.netns]
RATED = TOPOLOGY.replace("far -> west", "{from: far, to: west, rate: 64kbit}")
"""8 kB less the first packet take 0.8 s, each way."""
DELAYED = TOPOLOGY.replace("far -> west", "{from: far, to: west, delay: 200ms}")
FASTER = EngineFault(
    "impair", frozenset({"far"}), frozenset({"west"}), one_way=True, settings=(("rate", 1e6),)
)


async def test_a_link_is_as_slow_as_it_says_until_the_topology_says_otherwise(rig: Rig) -> None:
    await rig.up()
    rated = rig.changed(RATED)
    await rated.up()
    assert rated.milliseconds("west", "far") > 1200
    assert rated.milliseconds("west", "east") < 300
    assert (await rated.engine.read_faults(rated.dir)).impaired == ()
    assert await rated.engine.commands(rated.dir, rated.plan) == []  # nothing is left to do
    plain = rated.changed(TOPOLOGY)
    await plain.up()
    assert plain.milliseconds("west", "far") < 300
    assert "htb" not in plain.inside("west", "tc", "qdisc", "show", "dev", "eth0")


async def test_a_fault_counts_over_the_link_and_healing_leaves_exactly_the_link(rig: Rig) -> None:
    rated = rig.changed(RATED)
    await rated.up()
    before = slowed(rated)
    await rated.engine.apply_fault(rated.dir, FASTER)
    assert [one.settings for one in (await rated.engine.read_faults(rated.dir)).impaired] == [FASTER.settings]
    assert 600 < rated.milliseconds("west", "far") < 1200  # slow on the way back only
    assert (await rated.engine.observe(rated.dir)).clusters["west"].is_complete
    await rated.up()  # leaves the fault alone
    assert (await rated.engine.read_faults(rated.dir)).holds(FASTER)
    await rated.engine.clear_fault(rated.dir, FASTER)
    assert (await rated.engine.read_faults(rated.dir)).impaired == ()
    assert slowed(rated) == before
    assert rated.milliseconds("west", "far") > 1200


def slowed(rig: Rig) -> tuple[str, str]:
    """What slows packets of west, as its kernel says."""
    rules = rig.inside("west", "nft", "list", "table", "inet", "multicluster_lab")
    return rules, rig.inside("west", "tc", "class", "show", "dev", "eth0")


async def test_a_node_that_was_killed_comes_back_as_slow_as_its_links_say(rig: Rig) -> None:
    rated = rig.changed(RATED)
    await rated.up()
    killed = EngineFault("node", frozenset({"west"}))
    await rated.engine.apply_fault(rated.dir, killed)
    await rated.engine.clear_fault(rated.dir, killed)
    assert rated.milliseconds("west", "far") > 1200
    rated.inside("west", "tc", "qdisc", "del", "dev", "eth0", "root")
    state = await rated.engine.observe(rated.dir)
    assert [name for name, one in state.clusters.items() if not one.is_complete] == ["west"]
    await rated.up()
    assert rated.milliseconds("west", "far") > 1200


async def test_a_delay_of_a_link_is_made_by_netem_or_refused_before_anything_is_made(rig: Rig) -> None:
    with rig.docker.client() as client:
        argv = ["qdisc", "add", "dev", "lo", "root", "netem"]
        one = client.containers.run("lab.test/node:1", argv, entrypoint="tc", cap_add=["NET_ADMIN"],
                                    network_mode="none", detach=True)  # fmt: skip
        has_netem = one.wait()["StatusCode"] == 0
        one.remove()
        delayed = rig.changed(DELAYED)
        if has_netem:
            await delayed.up()
            assert delayed.milliseconds("west", "far") > 400
            return
        with pytest.raises(EngineUnavailable, match="need netem") as caught:
            await delayed.up()
        assert "sch_netem" in caught.value.remedy
        assert client.containers.list(all=True) == []
        assert client.networks.list(filters={"type": "custom"}) == []
