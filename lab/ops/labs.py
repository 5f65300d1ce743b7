"""Which lab a verb is about, and everything a verb needs to work on it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from lab.base.errors import NoSuchLab, UsageError
from lab.base.state import LabDir, lab_names
from lab.engines.inspect import Inspector
from lab.engines.protocol import Engine
from lab.engines.select import engine_of, inspector_of
from lab.faults.ledger import Ledger
from lab.faults.site import Site
from lab.observe.clusters import MESH_NAMESPACES
from lab.ops.answer import Answer
from lab.plan.addresses import LabPlan, addresses
from lab.topology.load import load
from lab.topology.model import EngineName, Topology
from lab.topology.problem import did_you_mean

if TYPE_CHECKING:
    from lab.kube.client import Client


@dataclass(frozen=True)
class Lab:
    """One lab: its files, what its topology asks for, and the engine under it."""

    dir: LabDir
    topology: Topology
    plan: LabPlan
    engine: Engine

    @property
    def name(self) -> str:
        return self.dir.name

    @property
    def is_guest(self) -> bool:
        """Whether its clusters are somebody else's."""
        return self.topology.engine == "existing"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those in somebody's cluster that are the lab's."""
        mesh = () if self.topology.mesh.provider == "none" else MESH_NAMESPACES
        return (*self.plan.visit.namespaces, *mesh)

    @property
    def inspector(self) -> Inspector | None:
        """What looks into this lab; None where its engine has no such thing."""
        return inspector_of(self.topology.engine)

    async def connect(self, cluster: str) -> "Client":
        """A client of one cluster's API server: its administrator, or the guest that the lab is there."""
        if self.is_guest:
            from lab.engines.existing import visitors

            return await visitors.connect(self.dir, cluster, self.plan.visit)
        from lab.kube.client import Client  # the official client takes half a second to import

        return await Client.from_kubeconfig(self.dir.kubeconfig, self.dir.context(cluster))

    @property
    def site(self) -> Site:
        """The lab as the fault modules want it."""
        return Site(self.dir, self.engine, self.connect, Ledger(self.dir.ledger))

    def with_topology(self, topology: Topology) -> Self:
        """The same lab asking for something else."""
        return replace(self, topology=topology, plan=addresses(topology))

    def chosen(self, clusters: tuple[str, ...]) -> tuple[str, ...]:
        """The named clusters, or all. Raises UsageError for a name that is not there."""
        for name in clusters:
            self.check_cluster(name)
        return clusters or tuple(self.topology.clusters)

    def check_cluster(self, name: str) -> str:
        known = list(self.topology.clusters)
        if name not in known:
            raise UsageError(
                f'lab {self.name} has no cluster "{name}"; it has {", ".join(known)}',
                remedy=did_you_mean(name, known),
            )
        return name


def from_file(
    file: str, name: str = "", engine: EngineName | None = None, variant: str = "", *, offline: bool = False
) -> Lab:
    """The lab that a topology file describes, whether it is up or not; `offline` as if the file said so."""
    topology = load(file, engine, name, variant)
    if offline:
        topology = topology.model_copy(update={"kind": topology.kind.model_copy(update={"offline": True})})
    return from_topology(topology)


def with_consent(lab: Lab) -> Lab:
    """The same lab, whose user has agreed to clusters that look like production."""
    return replace(lab, engine=engine_of(lab.topology.engine, consent=True))


def find(name: str = "") -> Lab:
    """The lab of that name, or the only one. Raises NoSuchLab, or UsageError when it is ambiguous."""
    return from_topology(load(str(LabDir.of(meant(name)).topology)))


def meant(name: str = "") -> str:
    """The name of the lab that `find` finds, also if its topology file can no longer be read."""
    known = lab_names()
    if not known or (name and name not in known):
        raise NoSuchLab(
            f'no lab "{name}" here' if name else "no lab here",
            remedy=did_you_mean(name, known) or "`lab up` brings the default one up; `lab list` shows all",
        )
    if not name and len(known) > 1:
        running = [one for one in known if is_running(one)]
        if len(running) != 1:
            raise UsageError(f"several labs here: {', '.join(known)}", remedy=f"say which: --lab {known[0]}")
        known = running
    return name or known[0]


def from_topology(topology: Topology) -> Lab:
    """The lab that a topology describes, whether it is up or not."""
    return Lab(LabDir.of(topology.name), topology, addresses(topology), engine_of(topology.engine))


def is_running(name: str) -> bool:
    """Whether a lab's host process lives."""
    return engine_for(name).is_running(LabDir.of(name))


def engine_for(name: str) -> Engine:
    """The engine under a lab. For one without a readable topology file it is the embedded one, unless the lab
    has claimed clusters: these engines' labs have all their traces in their folder."""
    try:
        return engine_of(load(str(LabDir.of(name).topology)).engine)
    except UsageError:
        return engine_of("existing" if LabDir.of(name).claim.exists() else "embedded")


def labs() -> Answer:
    """Every lab of this user with its engine, clusters and whether it runs."""
    rows = []
    for name in lab_names():
        state = "running" if is_running(name) else "down"
        row = {"lab": name, "engine": engine_for(name).name, "state": state, "clusters": [], "problem": ""}
        try:
            row["clusters"] = list(load(str(LabDir.of(name).topology)).clusters)
        except UsageError as error:
            row["problem"] = str(error)
        rows.append(row)
    lines = [
        f"{row['lab']:24} {row['engine']:10} {row['state']:8} {row['problem'] or ', '.join(row['clusters'])}"
        for row in rows
    ]
    return Answer(rows, "\n".join(lines) or "no labs; `lab up` brings the default one up")
