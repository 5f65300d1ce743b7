"""What `up` would create in clusters that are somebody else's, object by object, for `plan` to show."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.kube import objects, record
from lab.kube.client import Client
from lab.kube.objects import Object
from lab.mesh.select import mesh_of
from lab.ops.inventory import shipped_manifests, user_manifests
from lab.ops.labs import Lab
from lab.plan.workloads import app_objects, namespaces, traffic_objects


@dataclass(frozen=True)
class Creation:
    """An object that is not there yet; `is_outside` the namespaces of the lab."""

    cluster: str
    object: str
    is_outside: bool


async def creations(lab: Lab, clusters: Iterable[str]) -> list[Creation]:
    """Everything that is missing in these clusters; all of it where one cannot be asked."""
    found = await together(*(_creations(lab, name) for name in clusters))
    return [one for some in found for one in some]


async def _creations(lab: Lab, cluster: str) -> list[Creation]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(await lab.connect(cluster))
        mesh, unknown = await _mesh_objects(lab, cluster)
        wanted = [_claim(client), *mesh, *_objects(lab, cluster)]
        try:
            missing = await record.missing(client, wanted)
        except LabError:
            missing = wanted  # why it cannot be asked stands beside it in the plan
    return [*unknown, *(_creation(cluster, one, lab.namespaces) for one in missing)]


async def _mesh_objects(lab: Lab, cluster: str) -> tuple[list[Object], list[Creation]]:
    """What the mesh would make there, or a line that says why that is not known."""
    try:
        return await mesh_of(lab.topology, lab.dir).preview(cluster), []
    except LabError as error:
        said = f"what the commands above print of the mesh, which cannot be listed here: {error}"
        return [], [Creation(cluster, said, is_outside=True)]


def _objects(lab: Lab, cluster: str) -> list[Object]:
    topology, manifests = lab.topology, shipped_manifests()
    apps = dict.fromkeys(app.app for app in topology.apps)
    return [
        *namespaces(topology, manifests),
        *user_manifests(topology),
        *(obj for app in apps for obj in app_objects(topology, app, cluster, manifests)),
        *traffic_objects(topology, cluster, manifests),
    ]


def _claim(client: Client) -> Object:
    place = {"name": client.record, "namespace": record.NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": place}


def _creation(cluster: str, obj: Object, own: Sequence[str]) -> Creation:
    where = "/".join(part for part in objects.key(obj) if part)
    return Creation(cluster, f"{obj['kind']} {where}", objects.namespace(obj) not in own)
