"""Brings a lab up, or in line with its topology: observe, plan, carry out, watch until it is well.

Running it again touches only what differs. Ctrl-C leaves a lab that `up` completes or `down` removes.
"""

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from lab.base.concurrent import together
from lab.base.errors import CheckFailed, EngineUnavailable, UsageError
from lab.base.process import NotInstalled
from lab.base.state import make_private, write_private
from lab.base.wait import pause
from lab.engines.lock import held
from lab.faults import baseline
from lab.faults.inject import recover
from lab.kube.kubeconfig import server_of
from lab.mesh.protocol import MeshCluster
from lab.mesh.select import mesh_of
from lab.observe.state import LabState
from lab.ops import keeper
from lab.ops.answer import Answer
from lab.ops.inventory import observe, wished
from lab.ops.labs import Lab, from_file, with_consent
from lab.ops.plan import connect_running, restricted
from lab.ops.progress import Progress
from lab.ops.status import answer, observer, only
from lab.ops.steps import World, carry_out, prepare
from lab.plan.steps import Observed, Step, Verb, diff
from lab.topology.load import dump
from lab.topology.model import EngineName

HEALTHY_WITHIN: Mapping[EngineName, float] = {"embedded": 90.0, "kind": 300.0, "existing": 300.0}
"""Seconds for a lab whose steps are all done to become healthy; others than the embedded one pull images."""
REFUSALS = (EngineUnavailable, UsageError, NotInstalled)
"""What engines raise before they make anything; later only while something of the lab runs."""
ENGINE_VERBS = frozenset({Verb.START_CLUSTER, Verb.STOP_CLUSTER})


def up(
    file: str,
    *,
    lab: str = "",
    engine: EngineName | None = None,
    clusters: tuple[str, ...] = (),
    variant: str = "",
    consent: bool = False,
    offline: bool = False,
) -> Answer:
    """Bring up what the topology file says and wait until it is healthy. Raises CheckFailed if it is not.

    `consent`: also in existing clusters that look like production. `offline`: only with images that are here.
    """
    target = from_file(file, lab, engine, variant, offline=offline)
    return bring_up(with_consent(target) if consent else target, clusters)


def bring_up(target: Lab, clusters: tuple[str, ...] = ()) -> Answer:
    """The same for a lab whose topology was read already."""
    target.chosen(clusters)
    is_new = not target.dir.root.exists()
    make_private(target.dir.root)
    with held(target.dir, "up"):
        try:
            return answer(asyncio.run(_up(target, clusters)))
        except REFUSALS:
            # Its files tell that the engine has begun, also where it cannot be asked any more.
            begun = (target.dir.root / "clusters").exists() or target.engine.is_running(target.dir)
            if is_new and not begun:
                shutil.rmtree(target.dir.root)  # there is nothing for `down` to find
            raise


async def _up(lab: Lab, clusters: tuple[str, ...]) -> LabState:
    with Progress() as progress:
        async with AsyncExitStack() as stack:
            steps = await converge(lab, clusters, stack, progress)
            progress("lab", f"{len(steps)} steps done" if steps else "nothing to do")
            seen = only(await _healthy(lab, clusters, progress, with_traffic=True), lab.chosen(clusters))
        await baseline.keep(lab.site)
        await keeper.ensure(lab.dir)
        return seen


async def converge(
    lab: Lab, clusters: tuple[str, ...], stack: AsyncExitStack, progress: Progress | None = None
) -> tuple[Step, ...]:
    """Carry out what differs between the topology and the live lab; returns the steps that were done."""
    say = progress or Progress()
    if lab.engine.is_running(lab.dir):
        await recover(lab.site)
    else:
        lab.site.ledger.condemn()  # the processes in which these faults were made have ended
    clients = await connect_running(lab, stack)
    desired = await wished(lab.topology)  # fails before anything is made
    steps = diff(desired, await observe(lab, clients) if clients else Observed(), clusters)
    if not steps and _stored(lab) == dump(lab.topology):
        return ()
    mesh = mesh_of(lab.topology, lab.dir, say)
    await mesh.available()  # fails before anything is made
    plan = restricted(lab, clusters, set(clients))
    if not lab.dir.topology.exists():
        write_private(lab.dir.topology, dump(lab.topology))  # from now on `down` knows of this lab
    await lab.engine.ensure(lab.dir, plan, say)
    write_private(lab.dir.topology, dump(lab.topology))
    rest = [step for step in steps if step.verb not in ENGINE_VERBS]
    nodes = {name: one.node_ip for name, one in (await lab.engine.observe(lab.dir)).clusters.items()}
    reached = await together(*(_reach(lab, one.name, nodes, stack) for one in plan.clusters))
    world = World(lab, mesh, {one.name: one for one in reached}, desired, say)
    lab.site.ledger.keep_only(lambda fault: bool(set(fault.target.clusters) & set(lab.topology.clusters)))
    await recover(lab.site, {one.name for one in plan.clusters})
    await prepare(world, rest)
    if traffic := [step for step in rest if step.verb is Verb.START_TRAFFIC]:
        # A user's first look must not show calls that failed because their target did not exist yet.
        await _healthy(lab, clusters, say, with_traffic=False)
        await carry_out(world, traffic)
    return steps


def _stored(lab: Lab) -> str:
    """The topology of the last `up` as text; parts of it (images) make no step and yet take effect."""
    return lab.dir.topology.read_text() if lab.dir.topology.exists() else ""


async def _reach(lab: Lab, cluster: str, nodes: Mapping[str, str], stack: AsyncExitStack) -> MeshCluster:
    """A cluster for the mesh; where nodes have addresses, its gateway is reached at theirs."""
    client = await stack.enter_async_context(await lab.connect(cluster))
    url, ca = server_of(lab.dir.inside_kubeconfig, lab.dir.context(cluster))
    return MeshCluster(cluster, client, url, ca, (node,) if (node := nodes.get(cluster)) else ())


async def _healthy(
    lab: Lab, clusters: tuple[str, ...], progress: Progress, *, with_traffic: bool
) -> LabState:
    """Look until nothing is wrong and, `with_traffic`, every generator has been answered.

    Calls count as long as they do for `status`, so that the next look does not contradict this one.

    Raises CheckFailed with what is still wrong when time is up.

    A lab in which somebody injected a fault on purpose is not waited for: its state is the answer.
    """
    chosen = lab.chosen(clusters)
    expected = [(one.from_, one.label) for one in lab.topology.traffic if one.from_ in chosen]
    limit = HEALTHY_WITHIN[lab.topology.engine]
    deadline = time.monotonic() + limit
    said = ""
    async with observer(lab) as eyes:
        while True:
            seen = only(await eyes.look(), chosen)
            wrong = [f"{one.where}: {one.what}" for one in seen.problems]
            wrong += _unanswered(seen, expected) if with_traffic else []
            if not wrong or seen.faults:
                return seen
            if wrong[0] != said:
                progress("lab", f"waiting: {(said := wrong[0])}")
            if time.monotonic() > deadline:
                remedy = next((one.remedy for one in seen.problems), "`lab status` shows the whole state")
                listed = "".join(f"\n  {line}" for line in wrong)
                raise CheckFailed(
                    f"lab {lab.name} is up but not healthy after {limit:g} s:{listed}", remedy=remedy
                )
            await pause(0.1)


def _unanswered(seen: LabState, expected: Sequence[tuple[str, str]]) -> list[str]:
    """Traffic of which no answer is known yet."""
    answered = {(one.cluster, one.traffic) for one in seen.services if one.answered_by}
    return [
        f"traffic {name} from {cluster}: not answered yet"
        for cluster, name in expected
        if (cluster, name) not in answered
    ]
