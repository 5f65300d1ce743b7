"""Judges one cluster from what its engine and its API server say. Pure.

The engine's word comes first (a paused cluster is paused, not unreachable); a cluster whose API server
does not answer is unreachable whatever its pods do.
"""

from collections.abc import Iterable

from lab.kube import objects
from lab.kube.objects import Object
from lab.observe.facts import ClusterFacts, KubeFacts
from lab.observe.state import Api, Cluster, ClusterState, Component, ControlPlane, Fault, Node, Pods

MESH_NAMESPACES = ("linkerd", "linkerd-multicluster")
CONTROL_PLANE = "linkerd"


def cluster(fact: ClusterFacts, kube: KubeFacts, faults: Iterable[Fault]) -> Cluster:
    api = _api(fact, kube)
    components = tuple(sorted(map(component, filter(_is_mesh, kube.deployments)), key=_component_key))
    control_plane = _control_plane(components) if api.state == "ready" else ControlPlane("unknown")
    if fact.scope.mesh == "none":
        control_plane = ControlPlane("none")
    nodes = tuple(map(node, kube.nodes))
    pods = count_pods(kube.pods)
    return Cluster(
        name=fact.name,
        state=_state(fact, api, control_plane, nodes, pods),
        api=api,
        control_plane=control_plane,
        network=fact.network,
        nodes=nodes,
        pods=pods,
        restarts=fact.restarts,
        adrift=fact.adrift,
        faults=tuple(fault.id for fault in faults if fact.name in (*fault.clusters, *fault.others)),
    )


def _api(fact: ClusterFacts, kube: KubeFacts) -> Api:
    if fact.paused:
        return Api("paused")
    if kube.error:
        return Api("unreachable", error=kube.error)
    return Api("ready", version=kube.version)


def _state(
    fact: ClusterFacts, api: Api, control_plane: ControlPlane, nodes: tuple[Node, ...], pods: Pods
) -> ClusterState:
    if fact.paused:
        return "paused"
    if not fact.running:
        return "down"
    if api.state != "ready":
        return "unreachable"
    if not nodes:
        return "starting"
    is_meshed = control_plane.state in ("ready", "none")
    if not is_meshed or not all(n.ready for n in nodes) or pods.ready < pods.total:
        return "degraded"
    return "ready"


def _is_mesh(deployment: Object) -> bool:
    return objects.namespace(deployment) in MESH_NAMESPACES


def _component_key(part: Component) -> tuple[int, str]:
    return MESH_NAMESPACES.index(part.namespace), part.name


def component(deployment: Object) -> Component:
    status, spec = objects.status(deployment), objects.spec(deployment)
    return Component(
        namespace=objects.namespace(deployment),
        name=objects.name(deployment),
        ready=int(status.get("readyReplicas") or 0),
        wanted=int(spec.get("replicas", 1)),
    )


def _control_plane(components: tuple[Component, ...]) -> ControlPlane:
    """Only what is needed to serve proxies counts; gateway and mirrors are judged with the links."""
    core = [part for part in components if part.namespace == CONTROL_PLANE]
    if not any(part.ready for part in core):
        return ControlPlane("down", components)
    return ControlPlane("ready" if all(part.healthy for part in core) else "degraded", components)


def node(obj: Object) -> Node:
    ready = objects.condition(obj, "Ready") or {}
    good = ready.get("status") == "True"
    reason = "" if good else str(ready.get("message") or ready.get("reason") or "no Ready condition")
    return Node(objects.name(obj), good, reason)


def count_pods(pods: Iterable[Object]) -> Pods:
    """Pods that are leaving or have finished do not count."""
    kept = [p for p in pods if not objects.is_deleting(p) and objects.status(p).get("phase") != "Succeeded"]
    return Pods(ready=sum(map(objects.is_pod_ready, kept)), total=len(kept))
