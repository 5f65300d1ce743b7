"""Finds the pod and container that a user names: CLUSTER/NAMESPACE/POD, or a workload's name."""

from dataclasses import dataclass

from lab.base.errors import UsageError
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.kinds import PODS
from lab.kube.objects import Object, is_pod_ready, spec
from lab.ops.labs import Lab
from lab.topology.problem import did_you_mean

PROXY = "linkerd-proxy"


@dataclass(frozen=True)
class Place:
    """A container of a pod of a cluster."""

    cluster: str
    namespace: str
    pod: str
    container: str


def split(lab: Lab, word: str) -> tuple[str, str, str]:
    """Cluster, namespace and name of `west/shop/front`. Raises UsageError for another shape."""
    parts = word.split("/")
    if len(parts) != 3 or not all(parts):
        raise UsageError(f'"{word}" is not CLUSTER/NAMESPACE/NAME', remedy="such as west/shop/front")
    return lab.check_cluster(parts[0]), parts[1], parts[2]


async def locate(lab: Lab, client: Client, word: str, container: str = "") -> Place:
    """The pod of that name, or a pod of that workload (a ready one first); its main container by default."""
    cluster, namespace, name = split(lab, word)
    pods = await client.list(PODS, namespace)
    named = [pod for pod in pods if objects.name(pod) == name]
    found = named or sorted((pod for pod in pods if _belongs(pod, name)), key=is_pod_ready, reverse=True)
    if not found:
        there = sorted(map(objects.name, pods))
        raise UsageError(
            f'no pod or workload "{name}" in namespace {namespace} of {cluster}; pods there: '
            f"{', '.join(there) or 'none'}",
            remedy=did_you_mean(name, there),
        )
    return Place(cluster, namespace, objects.name(found[0]), container or _main(found[0]))


def _belongs(pod: Object, workload: str) -> bool:
    """Whether a pod's name is one that a Deployment of that name makes: NAME-HASH-SUFFIX."""
    return objects.name(pod).rsplit("-", 2)[0] == workload or objects.name(pod).rsplit("-", 1)[0] == workload


def _main(pod: Object) -> str:
    names = [str(container["name"]) for container in spec(pod)["containers"]]
    return next((name for name in names if name != PROXY), names[0])
