"""Takes Linkerd out of a cluster, as far as this lab put it in; needs no program, only the record there.

`linkerd uninstall` would delete whatever it finds by label, also what was there before the lab.
"""

from lab.base.state import LabDir
from lab.base.wait import until
from lab.kube import record
from lab.kube.kinds import NAMESPACES
from lab.kube.objects import name
from lab.mesh.linkerd import plan
from lab.mesh.linkerd.acts import Place
from lab.mesh.linkerd.perform import perform
from lab.mesh.linkerd.programs import EXTENSION
from lab.mesh.protocol import MeshCluster
from lab.mesh.trust import lab_anchor

GONE_SECONDS = 180.0
"""How long namespaces may take to end; their pods have 30 s to stop."""


async def uninstall(cluster: MeshCluster, lab: LabDir) -> None:
    """Returns once the mesh's namespaces are gone; can be repeated, and does nothing where nothing is."""
    noted = await record.read(cluster.client)
    spaces = {
        name(one)
        for entry in (plan.MULTICLUSTER, plan.CONTROL_PLANE, plan.NAMESPACES)
        for one in record.listed(noted, entry)
        if one["kind"] == NAMESPACES.kind
    }
    place = Place(cluster.name, lab.kubeconfig, lab.context(cluster.name), lab.pki)
    for act in plan.uninstall(place, noted):
        await perform(act, {cluster.name: cluster}, lab_anchor(lab))
    if EXTENSION in noted:
        await record.note(cluster.client, {EXTENSION: None})

    async def gone() -> bool:
        return not spaces & {name(space) for space in await cluster.client.list(NAMESPACES)}

    what = f"cluster {cluster.name}: namespaces {', '.join(sorted(spaces))} are gone"
    await until(gone, timeout=GONE_SECONDS, every=0.1, what=what)
