"""Faults that the lab's own mesh makes, asked for by objects of its API group: failing HTTP requests here,
certificates in a module of their own.

Real Linkerd has no such kinds. There one would send a share of a Service's requests by an HTTPRoute to a
backend that answers errors only, which holds for callers with a proxy that follow that route.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.base.concurrent import together
from lab.base.errors import CheckFailed, LabError, UsageError
from lab.faults import workloads
from lab.faults.actuator import Others
from lab.faults.model import Fault
from lab.faults.settings import MILLION, share
from lab.faults.site import Site
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import NAMESPACES, PODS, Kind
from lab.kube.objects import Object, spec

ID = "fault.multicluster.lab/id"
"""The label that says which fault an object belongs to."""
ALL = "all"
Selectors = Mapping[str, Mapping[str, Any]]
"""Label selectors of pods by NAMESPACE/WORKLOAD, or by NAMESPACE/all."""


@dataclass(frozen=True)
class MeshMade:
    """Objects of one kind, one per workload, on which the mesh acts; see lab.faults.actuator.Actuator.

    `asked` is what their spec says besides the pods.
    """

    kind: Kind
    asked: Callable[[Fault], Object]

    async def before(self, site: Site, fault: Fault, others: Others) -> Mapping[str, Selectors]:
        """Which pods are meant, by cluster and workload: told once, so that healing finds the same."""
        found = await together(*(self._selectors(site, fault, one) for one in fault.target.clusters))
        return dict(zip(fault.target.clusters, found, strict=True))

    async def apply(self, site: Site, fault: Fault, others: Others) -> None:
        await self.put(site, fault)
        if not await self.actual(site, fault, others):
            raise LabError(f"fault {fault.id} was asked for, but its objects are not there")

    async def clear(self, site: Site, fault: Fault, others: Others) -> None:
        async def one(cluster: str) -> None:
            async with await site.connect(cluster) as client:
                for obj in await self._mine(client, fault):
                    await self._delete(client, obj)
                if left := await self._mine(client, fault):
                    raise CheckFailed(
                        f"fault {fault.id} was lifted, but {cluster} has {self.kind.kind} "
                        f"{objects.name(left[0])}",
                        remedy="heal it again",
                    )

        await together(*(one(cluster) for cluster in fault.target.clusters))

    async def actual(self, site: Site, fault: Fault, others: Others) -> bool | None:
        async def one(cluster: str) -> bool:
            async with await site.connect(cluster) as client:
                seen = {objects.name(obj): spec(obj) for obj in await self._mine(client, fault)}
            wanted = {objects.name(obj): spec(obj) for obj in self.objects(fault, cluster)}
            return seen.keys() == wanted.keys() and all(
                seen[name] | wanted[name] == seen[name] for name in seen
            )

        try:
            return all(await together(*(one(cluster) for cluster in fault.target.clusters)))
        except LabError:
            return None  # the cluster does not answer, which may be another fault's doing

    def objects(self, fault: Fault, cluster: str, **more: object) -> Iterator[Object]:
        """The objects that ask a cluster's mesh for the fault; `more` stands in their specs, too. Pure."""
        for place, selector in fault.before.get(cluster, {}).items():
            namespace, workload = place.split("/")
            yield {
                "apiVersion": self.kind.api_version,
                "kind": self.kind.kind,
                "metadata": {
                    "name": f"{fault.id}-{workload}",
                    "namespace": namespace,
                    "labels": {ID: fault.id},
                },
                "spec": {"podSelector": selector, **self.asked(fault), **more},
            }

    async def put(self, site: Site, fault: Fault, **more: object) -> None:
        """Make, or change, the objects of all clusters."""

        async def one(cluster: str) -> None:
            async with await site.connect(cluster) as client:
                for obj in self.objects(fault, cluster, **more):
                    await client.apply(self.kind, obj)

        await together(*(one(cluster) for cluster in fault.target.clusters))

    async def strays(self, site: Site, cluster: str, recorded: Collection[str]) -> list[Object]:
        """The objects of a cluster that belong to none of the faults with the `recorded` ids."""
        async with await site.connect(cluster) as client:
            found = await self._made(client)
        return [obj for obj in found if objects.labels(obj).get(ID) not in recorded]

    async def lift(self, site: Site, cluster: str, stray: Object) -> None:
        """Delete an object that belongs to no fault."""
        async with await site.connect(cluster) as client:
            await self._delete(client, stray)

    async def _selectors(self, site: Site, fault: Fault, cluster: str) -> Selectors:
        """The selectors of what is meant. Raises UsageError for a mesh that is Linkerd itself, which knows no
        faults, and for a workload whose pods, if any, have no proxy."""
        async with await site.connect(cluster) as client:
            try:
                await client.list(self.kind)
            except NotFound as error:
                raise UsageError(
                    f"fault.{fault.kind} is made by the lab's own mesh; {cluster} has Linkerd, or no mesh,"
                    " and neither has such faults",
                    remedy="use engine embedded"
                    + (", or an HTTPRoute to a backend that answers errors" if fault.kind == "http" else ""),
                ) from error
            if not fault.target.service:
                return await _everything_meshed(client, cluster)
            found = await workloads.deployments(client, workloads.selection(fault))
            for deployment in found:
                pods = await workloads.pods_of(client, deployment)
                if pods and not any(map(workloads.is_meshed, pods)):
                    name = f"{cluster}/{objects.namespace(deployment)}/{objects.name(deployment)}"
                    raise UsageError(
                        f"{name} has no pod in the mesh, and only a proxy can do this",
                        remedy="annotate it with linkerd.io/inject: enabled",
                    )
        return {f"{objects.namespace(one)}/{objects.name(one)}": spec(one)["selector"] for one in found}

    async def _mine(self, client: Client, fault: Fault) -> list[Object]:
        return await self._made(client, f"{ID}={fault.id}")

    async def _made(self, client: Client, labels: str = "") -> list[Object]:
        """The lab's objects of this kind; none where the mesh does not know it."""
        try:
            return [obj for obj in await client.list(self.kind, labels=labels) if client.owns(obj)]
        except NotFound:
            return []

    async def _delete(self, client: Client, obj: Object) -> None:
        try:
            await client.delete(self.kind, objects.name(obj), objects.namespace(obj))
        except NotFound:
            return  # somebody else has deleted it


def http(fault: Fault) -> Object:
    """What an HTTPFault asks for. Pure."""
    asked: dict[str, Any] = {"percent": _number(share(fault) * 100)}
    for name, key in (("status", "httpStatus"), ("grpc_status", "grpcStatus")):
        if name in fault.parameters:
            asked[key] = fault.parameters[name]
    if "delay_us" in fault.parameters:
        asked["delayMilliseconds"] = max(round(fault.parameters["delay_us"] * 1000 / MILLION), 1)
    return asked


async def _everything_meshed(client: Client, cluster: str) -> Selectors:
    """All pods with a proxy. Raises UsageError where some of them are not the lab's."""
    spaces = await client.list(NAMESPACES)
    if not all(map(client.owns, spaces)):
        raise UsageError(f"{cluster} is not the lab's alone, so not all that is in its mesh may be broken")
    pods = await client.list(PODS)
    return {f"{ns}/{ALL}": {} for ns in sorted(map(objects.namespace, filter(workloads.is_meshed, pods)))}


def _number(value: float) -> float | int:
    """A whole number as one, as the API server would write it back."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
