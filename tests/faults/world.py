"""A lab in memory that dies on demand: the engine and the clusters keep what they were told, and a command,
the lab's host or an API server ends at the n-th step. Every call of ledger, engine or cluster is a step.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.controlplane.faults import NO_FLAW, Flaw, flaw_of
from lab.engines.protocol import (
    ActualFaults,
    ClusterState,
    EngineFault,
    EngineState,
    dns_failures_of,
    drops_of,
    impaired_by,
)
from lab.faults.ledger import Ledger
from lab.faults.model import Fault
from lab.faults.site import Site
from lab.faults.workloads import PROXY
from lab.kube.exec import Container
from lab.kube.kinds import DEPLOYMENTS, NAMESPACES, PODS, Kind
from lab.kube.objects import Object, key, labels

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
    objects: dict[tuple[str, str, str, str], Object] = field(default_factory=dict)
    """By cluster, kind, namespace and name."""
    certificates: dict[str, Flaw] = field(default_factory=dict)
    """What is wrong with those that proxies got since they started, by the place of their Deployment."""
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
                self.certificates.clear()
            if death.victim == "api":
                raise LabError("connection refused")
        result = effect()
        if death.steps == death.at and death.victim == "command after":
            raise Died
        return result

    def alive(self) -> None:
        if not self.is_up:
            raise LabError("lab has ended")

    def found(self) -> tuple[object, ...]:
        """The state that faults change; only the order of impairments on one path matters."""
        parts = sorted(self.parts, key=lambda part: (part.kind, sorted(part.clusters), sorted(part.others)))
        return parts, dict(self.replicas), dict(self.objects), self.flaws()

    def flaws(self) -> dict[str, Flaw]:
        """The pods whose proxies use certificates with a flaw."""
        found = {place: self.flaw(place) for place, count in self.replicas.items() if count}
        return {place: flaw for place, flaw in found.items() if flaw != NO_FLAW}

    def flaw(self, place: str) -> Flaw:
        """What is wrong with the certificate of the pod of a Deployment; it got one when it started."""
        return self.certificates.get(place) or self.asked(place)

    def asked(self, place: str) -> Flaw:
        """What is to be wrong with it."""
        cluster, namespace, _ = place.split("/")
        here = [obj for where, obj in self.objects.items() if (where[0], where[2]) == (cluster, namespace)]
        return flaw_of(_pod(place), here)

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
    name: str = "embedded"

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
                dead=frozenset(name for part in kinds["node"] for name in part.clusters),
                dns=frozenset(one for part in kinds["dns"] for one in dns_failures_of(part)),
            )

        result: ActualFaults = self.world.step(effect)
        return result


FAULT_KINDS = ("partition", "pause", "component", "impair", "node", "dns")


@dataclass
class MemoryClient:
    """Deployments that are at once as they are wanted, each with one pod that has a proxy, and objects of
    other kinds; a stopped cluster does not answer."""

    world: World
    cluster: str
    server: str = "memory"

    async def __aenter__(self) -> "MemoryClient":
        return self

    async def __aexit__(self, *_why: object) -> None:
        """Nothing to close."""

    def owns(self, obj: Object) -> bool:
        return True

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        rows = [place for place in self.world.replicas if place.startswith(f"{self.cluster}/")]
        found = {
            DEPLOYMENTS: lambda: [self._object(place) for place in rows],
            PODS: lambda: [_pod(place) for place in rows if self.world.replicas[place]],
            NAMESPACES: lambda: [{}],
        }
        rows_found: list[Object] = self._answer(found.get(kind, lambda: self._stored(kind, labels)))
        return rows_found

    async def apply(self, kind: Kind, obj: Object) -> None:
        place = (self.cluster, kind.kind, *key(obj))
        self._answer(lambda: self.world.objects.update({place: obj}))

    async def delete(self, kind: Kind, name: str, namespace: str) -> None:
        self._answer(lambda: self.world.objects.pop((self.cluster, kind.kind, namespace, name)))

    async def certificate(self, where: Container, command: Sequence[str]) -> str:
        """What `proxy-certificate` would print."""

        def answer() -> str:
            place = f"{self.cluster}/{where.namespace}/{where.pod.removesuffix('-1')}"
            if "--renew" in command:
                self.world.certificates[place] = self.world.asked(place)
            found = self.world.flaw(place)
            return json.dumps({"problem": found.problem, "skewSeconds": found.skew.total_seconds()})

        result: str = self._answer(answer)
        return result

    def _stored(self, kind: Kind, wanted: str) -> Sequence[Object]:
        return [
            obj
            for (cluster, name, *_), obj in self.world.objects.items()
            if (cluster, name) == (self.cluster, kind.kind)
            and (not wanted or tuple(wanted.split("=")) in labels(obj).items())
        ]

    async def get(self, kind: Kind, name: str, namespace: str) -> dict[str, Any]:
        result: dict[str, Any] = self._answer(lambda: self._object(f"{self.cluster}/{namespace}/{name}"))
        return result

    async def patch(self, kind: Kind, name: str, patch: Mapping[str, Any], namespace: str) -> None:
        place = f"{self.cluster}/{namespace}/{name}"

        def effect() -> None:
            self.world.replicas[place] = patch["spec"]["replicas"]
            if not self.world.replicas[place]:
                self.world.certificates.pop(place, None)  # what comes after are other pods

        self._answer(effect)

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


def _pod(place: str) -> Object:
    _, namespace, name = place.split("/")
    return {
        "metadata": {"name": f"{name}-1", "namespace": namespace, "labels": {"app": name}},
        "spec": {"initContainers": [{"name": PROXY}]},
        "status": {"initContainerStatuses": [{"name": PROXY, "state": {"running": {}}}]},
    }
