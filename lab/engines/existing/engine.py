"""The existing engine: clusters are somebody's, found by kubeconfig context; the lab is a guest in them.

`ensure` examines every cluster before it writes anything anywhere. What a cluster was found to be is never
changed: no nodes, no network, so faults that need these are refused.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from lab.base.concurrent import together
from lab.base.errors import EngineUnavailable, LabError, UsageError
from lab.base.log import get_logger
from lab.base.state import LabDir
from lab.engines.existing import contexts, visitors
from lab.engines.existing.contexts import Found
from lab.engines.existing.examine import Examined, claim, examine
from lab.engines.existing.guest import CLAIM_LABEL, Guest
from lab.engines.existing.release import release
from lab.engines.existing.rules import signs
from lab.engines.existing.visitors import server_of
from lab.engines.protocol import (
    ActualFaults,
    ClusterState,
    Component,
    EngineFault,
    EngineState,
    Progress,
)
from lab.plan.addresses import LabPlan
from lab.plan.visit import Visit, visit
from lab.topology.load import load

log = get_logger(__name__)
_PARTS = {name: Component(name, "running") for name in ("apiserver", "node")}


class ExistingEngine:
    """See lab.engines.protocol.Engine for what each method promises; `consent` is the user's `--yes`."""

    name = "existing"

    def __init__(self, *, consent: bool = False) -> None:
        self._consent = consent

    def is_running(self, lab: LabDir) -> bool:
        return bool(visitors.begun(lab))

    async def observe(self, lab: LabDir) -> EngineState:
        """Which clusters the lab is in. Whether they run is for them to say: the lab cannot look below the
        API, and whoever asks that gets the reason with the answer."""
        found = visitors.begun(lab)
        if not found:
            return EngineState(running=False)
        topology, claimed = load(str(lab.topology)), visitors.joined(lab)
        clusters = {
            name: ClusterState(
                name=name,
                api=server_of(document),
                node_ip="",
                network=topology.network_of(name) if name in topology.clusters else "",
                components=_PARTS if name in claimed else {},
            )
            for name, document in found.items()
        }
        return EngineState(running=True, clusters=clusters)

    async def ensure(self, lab: LabDir, plan: LabPlan, progress: Progress) -> None:
        wanted = _wanted(plan)
        mark = visitors.claim_of(lab)
        async with AsyncExitStack() as stack:
            clients = {name: await _enter(one, mark, stack) for name, one in wanted.items()}
            examined = await _examined(clients, plan, progress)
            _refuse_unfit(wanted, examined)
            self._ask(wanted, examined)
            await _leave_others(lab, wanted, progress)
            here = {name: one.document(lab.context(name)) for name, one in wanted.items()}
            visitors.write(lab, here, {})  # before the claim: `down` must know where to look
            await together(*(claim(client, lab.name) for client in clients.values()))
        inside = {
            name: one.document(lab.context(name), plan.visit.reach[name].api) for name, one in wanted.items()
        }
        visitors.write(lab, here, inside)

    def _ask(self, wanted: Mapping[str, Found], examined: Mapping[str, Examined]) -> None:
        """Refuse clusters that look like production, unless the user consented, now or at an earlier `up`."""
        doubts = [
            f"cluster {name}: {sign}"
            for name, one in wanted.items()
            if not (self._consent or examined[name].is_ours)
            for sign in signs(one.name, one.server)
        ]
        if doubts:
            raise UsageError(
                "this looks like production, and a lab breaks things on purpose; nothing was changed:\n  "
                + "\n  ".join(doubts),
                remedy="`lab plan` shows all that would be created; `lab up --yes` goes on",
            )

    async def commands(self, lab: LabDir, plan: LabPlan) -> list[tuple[str, str]]:
        """No commands, but what stands in the way or is good to know about each cluster that would be new."""
        known = visitors.joined(lab)
        wanted = {name: one for name, one in _wanted(plan).items() if name not in known}
        mark = visitors.claim_of(lab)
        async with AsyncExitStack() as stack:
            clients = {name: await _enter(one, mark, stack) for name, one in wanted.items()}
            found = await _examined(clients, plan, lambda where, what: None)
        said = {name: _said(one, found[name]) for name, one in wanted.items()}
        return [
            (f"{name} (context {wanted[name].name}, {wanted[name].server})", "\n".join(lines))
            for name, lines in said.items()
            if lines
        ]

    async def remove(self, lab: LabDir, *, purge: bool = False) -> None:
        """Leave every cluster. One that does not answer stays in the lab's kubeconfig, for the next try."""
        begun, joined = visitors.begun(lab), visitors.joined(lab)
        try:
            wanted = visit(load(str(lab.topology)))
        except UsageError:  # damaged or never written; the lab's own kubeconfig leads there, too
            wanted = Visit()
        reasons = []
        for name in list(begun):
            try:
                await _leave(lab, name, wanted)
            except LabError as error:
                reasons.append(f"{name}: {error}")
                continue
            del begun[name]
            joined.pop(name, None)
            visitors.write(lab, begun, joined)
        if reasons:
            raise LabError(
                f"lab {lab.name} could not leave:\n  " + "\n  ".join(reasons),
                remedy="`lab down` again when that is put right; "
                f"all that the lab made has the label {CLAIM_LABEL}={visitors.claim_of(lab)}",
            )

    async def apply_fault(self, lab: LabDir, fault: EngineFault) -> None:
        names = ", ".join(sorted(fault.clusters | fault.others))
        raise UsageError(
            f"{fault.component or fault.kind} on {names}: engine existing has no access to nodes,"
            " networks and API servers",
            remedy="fault.scale, kill, gateway and control-plane work through the Kubernetes API",
        )

    async def clear_fault(self, lab: LabDir, fault: EngineFault) -> None:
        """Nothing can be in force."""

    async def read_faults(self, lab: LabDir) -> ActualFaults:
        return ActualFaults()


def _wanted(plan: LabPlan) -> dict[str, Found]:
    """The context of each cluster of the plan. Raises UsageError for all that cannot be used."""
    found, problems, remedy = {}, [], ""
    for cluster in plan.clusters:
        reach = plan.visit.reach[cluster.name]
        try:
            found[cluster.name] = one = contexts.find(cluster.name, reach)
        except UsageError as error:
            problems.append(str(error))
            remedy = remedy or error.remedy
            continue
        if cluster.name in plan.visit.linked and contexts.is_local(reach.api or one.server):
            problems.append(
                f"cluster {cluster.name}: pods of the other clusters cannot reach {reach.api or one.server}; "
                f"set clusters.{cluster.name}.api to an address they can"
            )
    if problems:
        raise UsageError("\n".join(dict.fromkeys(problems)), remedy=remedy)
    return found


async def _examined(clients: Mapping[str, Guest], plan: LabPlan, progress: Progress) -> dict[str, Examined]:
    for name, client in clients.items():
        progress(name, f"examining context {client.context}")
    found = await together(*(examine(client, plan.visit) for client in clients.values()))
    return dict(zip(clients, found, strict=True))


def _refuse_unfit(wanted: Mapping[str, Found], examined: Mapping[str, Examined]) -> None:
    problems = [
        f"{name} (context {wanted[name].name}): {what}"
        for name, one in examined.items()
        for what in one.problems
    ]
    known: dict[str, str] = {}
    for name, one in examined.items():
        if one.uid and (other := known.setdefault(one.uid, name)) != name:
            problems.append(f"{other} and {name} are one cluster ({wanted[name].server})")
    if problems:
        raise EngineUnavailable(
            "these clusters cannot take the lab; nothing was changed:\n  " + "\n  ".join(problems),
            remedy="put that right, or choose other contexts in the topology",
        )


async def _enter(found: Found, mark: str, stack: AsyncExitStack) -> Guest:
    return await stack.enter_async_context(await Guest.enter(found, mark))


async def _leave_others(lab: LabDir, wanted: Mapping[str, Found], progress: Progress) -> None:
    """Leave the clusters of an earlier `up` that the topology has no more, or has elsewhere."""
    for name, document in visitors.begun(lab).items():
        if name not in wanted or server_of(document) != wanted[name].server:
            progress(name, f"leaving {server_of(document)}")
            await _leave(lab, name, Visit())


async def _leave(lab: LabDir, name: str, wanted: Visit) -> None:
    async with await visitors.connect(lab, name, wanted) as client:
        for stays in await release(client):
            log.warning(stays, cluster=name)


def _said(found: Found, examined: Examined) -> list[str]:
    """What a plan says of a cluster, as comments between commands. Pure."""
    doubts = [] if examined.is_ours else [f"{sign}: needs --yes" for sign in signs(found.name, found.server)]
    return [
        f"# {line}" for line in (*(f"refused: {one}" for one in examined.problems), *doubts, *examined.notes)
    ]
