"""Makes the sandbox of a pod, or says why there cannot be one, which becomes an event of the pod."""

from lab.base.errors import LabError
from lab.kube.objects import Object, name, namespace, uid
from lab.pocket.node.hostfiles import hostname
from lab.pocket.node.kit import Kit
from lab.pocket.node.runtime import Sandbox


async def make_sandbox(kit: Kit, pod: Object) -> Sandbox:
    """Ask the runtime for the pod's sandbox. Raises LabError for what this node cannot give."""
    if pod["spec"].get("hostNetwork"):
        raise LabError(
            "hostNetwork is not supported: the node of a pocket cluster shares its network with no pod; "
            "leave it out, and reach the pod by its own address, a NodePort or a LoadBalancer"
        )
    host = hostname(pod, kit.config.cluster_domain)
    return await kit.runtime.sandbox(uid(pod), namespace(pod), name(pod), host)
