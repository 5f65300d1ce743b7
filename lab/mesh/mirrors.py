"""Removes the Services that stood for those of another cluster, once nothing makes them anew."""

from lab.controlplane.mirror import federated
from lab.controlplane.mirror.labels import CLUSTER_NAME, MIRRORED_SERVICE
from lab.kube.client import Client
from lab.kube.errors import Conflict
from lab.kube.kinds import ENDPOINTS, SERVICES, Kind
from lab.kube.objects import Object, name, namespace
from lab.mesh.builtin.apply import remove_all


async def remove_mirrors(client: Client, target: str) -> None:
    """Delete the target's mirrors, and take it out of the federated services."""
    doomed: list[tuple[Kind, str, str]] = []
    for found in (SERVICES, ENDPOINTS):
        mirrors = await client.list(found, labels=f"{CLUSTER_NAME}={target}")
        doomed += [(found, namespace(obj), name(obj)) for obj in mirrors]
    await remove_all(client, doomed)
    for service in await client.list(SERVICES, labels=f"{MIRRORED_SERVICE}=true"):
        if target in federated.clusters_of(service):
            await _leave(client, service, target)


async def _leave(client: Client, service: Object, target: str) -> None:
    left = federated.leave(service, target)
    if left is None:
        await remove_all(client, [(SERVICES, namespace(service), name(service))])
        return
    try:
        await client.replace(SERVICES, left)
    except Conflict:
        fresh = await client.get(SERVICES, name(service), namespace(service))
        await _leave(client, fresh, target)
