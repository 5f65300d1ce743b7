"""The engine's promises with the real API server and node: up, again, changed, broken, down."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
import yaml

from lab.base.state import LabDir
from lab.base.wait import until
from lab.engines.embedded import sandbox
from lab.engines.embedded.engine import EmbeddedEngine
from lab.engines.protocol import Drop, EngineFault, Impaired
from lab.kube.client import Client
from lab.kube.kinds import CONFIG_MAPS, NODES
from lab.plan.addresses import LabPlan, addresses
from lab.topology.model import Topology

pytestmark = pytest.mark.netns
ENGINE = EmbeddedEngine()
PARTITION = EngineFault("partition", frozenset({"west"}), frozenset({"east"}))
PAUSE = EngineFault("pause", frozenset({"east"}))
API_DOWN = EngineFault("component", frozenset({"east"}), component="apiserver")


def plan(*clusters: str, links: tuple[str, ...] = ()) -> LabPlan:
    text = {"name": "duo", "clusters": {name: {} for name in clusters}, "links": list(links)}
    return addresses(Topology.model_validate(text))


BOTH = plan("west", "east", links=("west <-> east",))


def silent(where: str, what: str) -> None:
    """Progress nobody reads."""


async def connect(lab: LabDir, cluster: str) -> Client:
    return await Client.from_kubeconfig(lab.kubeconfig, lab.context(cluster))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabDir]:
    lab = LabDir(tmp_path_factory.mktemp("labs") / "duo")
    yield lab
    asyncio.run(ENGINE.remove(lab))


@pytest.fixture
async def duo(folder: LabDir) -> AsyncIterator[LabDir]:
    """Two linked clusters; what a test has changed is put right again by the next test's `ensure`."""
    await ENGINE.ensure(folder, BOTH, silent)
    yield folder
    actual = await ENGINE.read_faults(folder)
    for fault in (PARTITION, PAUSE, API_DOWN, IMPAIR):
        if actual.touches(fault):
            await ENGINE.clear_fault(folder, fault)


async def test_every_cluster_answers_and_its_node_registers(duo: LabDir) -> None:
    for cluster in ("west", "east"):
        async with await connect(duo, cluster) as client:

            async def registered(client: Client = client) -> bool:
                return bool(await client.list(NODES))

            await until(registered, timeout=10, what=f"node of {cluster}")


async def test_up_again_starts_nothing_anew(duo: LabDir) -> None:
    before = await ENGINE.observe(duo)
    await ENGINE.ensure(duo, BOTH, silent)
    assert await ENGINE.observe(duo) == before


async def test_a_cluster_that_left_the_plan_is_removed(duo: LabDir) -> None:
    await ENGINE.ensure(duo, plan("west"), silent)
    assert set((await ENGINE.observe(duo)).clusters) == {"west"}


async def test_objects_and_ports_survive_a_killed_init(duo: LabDir) -> None:
    port = (await ENGINE.observe(duo)).clusters["west"].api
    async with await connect(duo, "west") as client:
        await client.create(CONFIG_MAPS, {"metadata": {"name": "kept", "namespace": "default"}}, "default")
    process = sandbox.running(duo)
    assert process
    os.kill(process.pid, signal.SIGKILL)
    await process.gone(5)
    await ENGINE.ensure(duo, BOTH, silent)
    async with await connect(duo, "west") as client:
        assert await client.get(CONFIG_MAPS, "kept", "default")
    assert (await ENGINE.observe(duo)).clusters["west"].api == port


async def test_a_partition_is_read_back_in_both_directions(duo: LabDir) -> None:
    await ENGINE.apply_fault(duo, PARTITION)
    both = frozenset({Drop("west", "east"), Drop("east", "west")})
    assert (await ENGINE.read_faults(duo)).drops == both


async def test_a_healed_partition_is_gone(duo: LabDir) -> None:
    await ENGINE.apply_fault(duo, PARTITION)
    await ENGINE.clear_fault(duo, PARTITION)
    assert not (await ENGINE.read_faults(duo)).drops


async def test_a_one_way_partition_drops_one_direction(duo: LabDir) -> None:
    one_way = EngineFault("partition", frozenset({"west"}), frozenset({"east"}), one_way=True)
    await ENGINE.apply_fault(duo, one_way)
    assert (await ENGINE.read_faults(duo)).drops == {Drop("east", "west")}


IMPAIR = EngineFault(
    "impair",
    frozenset({"west"}),
    frozenset({"east"}),
    one_way=True,
    settings=(("delay", 0.05), ("loss", 0.1)),
)


async def test_an_impairment_is_read_back_until_it_is_lifted_also_after_another_up(duo: LabDir) -> None:
    await ENGINE.apply_fault(duo, IMPAIR)
    await ENGINE.ensure(duo, BOTH, silent)
    in_force = await ENGINE.read_faults(duo)
    await ENGINE.clear_fault(duo, IMPAIR)
    assert in_force.impaired == (Impaired("east", "west", IMPAIR.settings),)
    assert (await ENGINE.read_faults(duo)).impaired == ()


async def test_an_impairment_and_a_partition_lie_on_top_of_each_other(duo: LabDir) -> None:
    for fault in (IMPAIR, PARTITION):
        await ENGINE.apply_fault(duo, fault)
    together = await ENGINE.read_faults(duo)
    await ENGINE.clear_fault(duo, PARTITION)
    alone = await ENGINE.read_faults(duo)
    assert together.holds(IMPAIR)
    assert together.holds(PARTITION)
    assert alone.holds(IMPAIR)
    assert not alone.touches(PARTITION)


async def test_a_paused_cluster_does_not_hold_up_observation_or_up(duo: LabDir) -> None:
    await ENGINE.apply_fault(duo, PAUSE)
    await ENGINE.ensure(duo, BOTH, silent)
    state = await ENGINE.observe(duo)
    assert (state.clusters["east"].paused, state.clusters["west"].paused) == (True, False)


async def test_a_resumed_cluster_answers_again(duo: LabDir) -> None:
    await ENGINE.apply_fault(duo, PAUSE)
    await ENGINE.clear_fault(duo, PAUSE)
    async with await connect(duo, "east") as client:
        await client.list(CONFIG_MAPS, "default")


async def test_a_stopped_api_server_is_stopped_until_healed(duo: LabDir) -> None:
    await ENGINE.apply_fault(duo, API_DOWN)
    down = (await ENGINE.observe(duo)).clusters["east"].api_is_running
    await ENGINE.clear_fault(duo, API_DOWN)
    assert (down, (await ENGINE.observe(duo)).clusters["east"].api_is_running) == (False, True)


async def test_keys_and_kubeconfig_are_private(duo: LabDir) -> None:
    files = [p for p in duo.root.rglob("*") if p.suffix in (".key", ".db") or p.name == "kubeconfig"]
    assert {p.name: oct(p.stat().st_mode & 0o077) for p in files if p.stat().st_mode & 0o077} == {}


async def test_removing_twice_is_fine_and_purge_forgets_the_stores(duo: LabDir) -> None:
    await ENGINE.remove(duo)
    await ENGINE.remove(duo, purge=True)
    assert [p.name for p in duo.root.iterdir() if p.name != "lock"] == []


async def test_flat_links_put_the_routes_in_place(duo: LabDir) -> None:
    from lab.engines.embedded.control import Control

    async with Control.connect(duo) as control:
        seen = await control.call("network", function="describe_network", arguments={})
    assert seen["west"]["routes"] == {"10.21.0.0/16": "172.28.0.11"}


async def test_the_kubeconfig_has_a_context_per_cluster(duo: LabDir) -> None:
    contexts = [c["name"] for c in yaml.safe_load(duo.kubeconfig.read_text())["contexts"]]
    assert contexts == ["duo-west", "duo-east"]
