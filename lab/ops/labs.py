"""Which lab a verb is about, and everything a verb needs to work on it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from lab.base.errors import NoSuchLab, UsageError
from lab.base.state import LabDir, lab_names
from lab.engines.protocol import Engine
from lab.engines.select import engine_of
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

    async def connect(self, cluster: str) -> "Client":
        """A client of one cluster's API server, as its administrator."""
        from lab.kube.client import Client  # the official client takes half a second to import

        return await Client.from_kubeconfig(self.dir.kubeconfig, self.dir.context(cluster))

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


def from_file(file: str, name: str = "", engine: EngineName | None = None) -> Lab:
    """The lab that a topology file describes, whether it is up or not."""
    return _lab(load(file, engine, name))


def find(name: str = "") -> Lab:
    """The lab of that name, or the only one. Raises NoSuchLab, or UsageError when it is ambiguous."""
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
    return _lab(load(str(LabDir.of(name or known[0]).topology)))


def _lab(topology: Topology) -> Lab:
    return Lab(LabDir.of(topology.name), topology, addresses(topology), engine_of(topology.engine))


def is_running(name: str) -> bool:
    """Whether a lab's host process lives."""
    lab = _lab(load(str(LabDir.of(name).topology)))
    return lab.engine.is_running(lab.dir)


def labs() -> Answer:
    """Every lab of this user with its engine, clusters and whether it runs."""
    rows = []
    for name in lab_names():
        topology = load(str(LabDir.of(name).topology))
        state = "running" if is_running(name) else "down"
        rows.append(
            {"lab": name, "engine": topology.engine, "state": state, "clusters": list(topology.clusters)}
        )
    lines = [
        f"{row['lab']:24} {row['engine']:10} {row['state']:8} {', '.join(row['clusters'])}" for row in rows
    ]
    return Answer(rows, "\n".join(lines) or "no labs; `lab up` brings the default one up")
