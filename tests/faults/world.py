"""A lab in memory that dies on demand: the engine and the clusters keep what they were told, and a command,
the lab's host or an API server ends at the n-th step. Every call of ledger, engine or cluster is a step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.engines.protocol import ActualFaults, ClusterState, EngineFault, EngineState, drops_of, impaired_by
from lab.faults.ledger import Ledger
from lab.faults.model import Fault
from lab.faults.site import Site
from lab.kube.kinds import DEPLOYMENTS, NAMESPACES, Kind

Victim = Literal["command before", "command after", "host", "api"]
"""A command dies before or after the effect of its step. Of an API server's death it sees an error."""
NAMES = ("west", "east", "asia")


class Died(BaseException):
    """The command was killed: it does nothing any more, not even clean up."""


@dataclass
class Death:
    """Who ends at which step, from 1 on; step 0 never comes."""

    victim: Victim = "host"
    at: int = 0
    steps: int = 0
    is_over: bool = False

    @property
    def has_come(self) -> bool:
        return 0 < self.at <= self.steps


@dataclass
class World:
    """The kernel's and the clusters' state, which survives commands."""

    folder: Path
    parts: list[EngineFault] = field(default_factory=list)
    replicas: dict[str, int] = field(default_factory=lambda: {f"{name}/shop/front": 2 for name in NAMES})
    is_up: bool = True
    death: Death = field(default_factory=Death)

    def step(self, effect: Callable[[], Any]) -> Any:
        """One step of a command, with its effect unless somebody dies of it."""
        death = self.death
        death.steps += 1
        if death.is_over and death.victim.startswith("command"):
            raise Died
        if death.steps == death.at:
            death.is_over = True
            if death.victim == "command before":
                raise Died
            if death.victim == "host":
                self.is_up = False
                self.parts.clear()
            if death.victim == "api":
                raise LabError("connection refused")
        result = effect()
        if death.steps == death.at and death.victim == "command after":
            raise Died
        return result

    def alive(self) -> None:
        if not self.is_up:
            raise LabError("lab has ended")

    def found(self) -> tuple[list[EngineFault], dict[str, int]]:
        """The state that faults change; only the order of impairments on one path matters."""
        return sorted(
            self.parts, key=lambda part: (part.kind, sorted(part.clusters), sorted(part.others))
        ), dict(self.replicas)

    @property
    def site(self) -> Site:
        folder = LabDir(self.folder)

        async def connect(cluster: str) -> Any:
            return MemoryClient(self, cluster)

        return Site(folder, MemoryEngine(self), connect, MortalLedger(self, folder.ledger))


@dataclass
class MortalLedger(Ledger):
    """The real ledger; writing it is a step."""

    def __init__(self, world: World, path: Path) -> None:
        super().__init__(path)
        self._world = world

    def put(self, fault: Fault) -> Fault:
        result: Fault = self._world.step(lambda: Ledger.put(self, fault))
        return result

    def drop(self, fault_id: str) -> None:
        self._world.step(lambda: Ledger.drop(self, fault_id))


@dataclass
class MemoryEngine:
    """Keeps the parts in force; as the real one, it moves an impairment applied again over the others."""

    world: World
    name: str = "memory"

    def is_running(self, lab: LabDir) -> bool:
        return self.world.is_up

    async def observe(self, lab: LabDir) -> EngineState:
        clusters = {name: ClusterState(name, "", "", "") for name in NAMES}
        return EngineState(self.world.is_up, 1, clusters, await self.read_faults(lab))

    async def ensure(self, lab: LabDir, plan: object, progress: object) -> None:
        self.world.is_up = True

    async def remove(self, lab: LabDir, *, purge: bool = False) -> None:
        self.world.is_up = False

    async def apply_fault(self, lab: LabDir, fault: EngineFault) -> None:
        def effect() -> None:
            self.world.alive()
            self.world.parts[:] = [part for part in self.world.parts if part != fault] + [fault]

        self.world.step(effect)

    async def clear_fault(self, lab: LabDir, fault: EngineFault) -> None:
        def effect() -> None:
            self.world.parts[:] = [part for part in self.world.parts if part != fault]

        self.world.step(effect)

    async def read_faults(self, lab: LabDir) -> ActualFaults:
        def effect() -> ActualFaults:
            kinds = {kind: [part for part in self.world.parts if part.kind == kind] for kind in FAULT_KINDS}
            return ActualFaults(
                drops=frozenset(drop for part in kinds["partition"] for drop in drops_of(part)),
                paused=frozenset(name for part in kinds["pause"] for name in part.clusters),
                stopped=frozenset((n, part.component) for part in kinds["component"] for n in part.clusters),
                impaired=tuple(one for part in kinds["impair"] for one in impaired_by(part)),
            )

        result: ActualFaults = self.world.step(effect)
        return result


FAULT_KINDS = ("partition", "pause", "component", "impair")


@dataclass
class MemoryClient:
    """Deployments that are at once as they are wanted; a stopped cluster does not answer."""

    world: World
    cluster: str
    server: str = "memory"

    async def __aenter__(self) -> "MemoryClient":
        return self

    async def __aexit__(self, *_why: object) -> None:
        """Nothing to close."""

    def owns(self, obj: dict[str, Any]) -> bool:
        return True

    async def list(self, kind: Kind, namespace: str = "") -> list[dict[str, Any]]:
        rows = [place for place in self.world.replicas if place.startswith(f"{self.cluster}/")]
        found = {DEPLOYMENTS: lambda: [self._object(place) for place in rows], NAMESPACES: lambda: [{}]}
        rows_found: list[dict[str, Any]] = self._answer(found.get(kind, list))
        return rows_found

    async def get(self, kind: Kind, name: str, namespace: str) -> dict[str, Any]:
        result: dict[str, Any] = self._answer(lambda: self._object(f"{self.cluster}/{namespace}/{name}"))
        return result

    async def patch(self, kind: Kind, name: str, patch: Mapping[str, Any], namespace: str) -> None:
        place = f"{self.cluster}/{namespace}/{name}"
        self._answer(lambda: self.world.replicas.update({place: patch["spec"]["replicas"]}))

    def _object(self, place: str) -> dict[str, Any]:
        _, namespace, name = place.split("/")
        count = self.world.replicas[place]
        return {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": count, "selector": {"matchLabels": {"app": name}}},
            "status": {"readyReplicas": count},
        }

    def _answer(self, effect: Callable[[], Any]) -> Any:
        def answer() -> Any:
            self.world.alive()
            if any(self.cluster in p.clusters for p in self.world.parts if p.kind in ("pause", "component")):
                raise LabError(f"the API server of {self.cluster} does not answer")
            return effect()

        return self.world.step(answer)
