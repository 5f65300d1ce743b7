"""Says what is wrong with a lab and what to do about it: the problems of `status` and the last word of
`up`. Pure.

One problem per cause: what a paused cluster drags down is not listed again for each of its parts.
"""

from collections.abc import Iterable, Iterator

from lab.kube import objects
from lab.kube.objects import Object
from lab.observe.state import Cluster, Fault, LabState, Link, Problem, Service

GOOD_SUCCESS = 0.99
MESH_NAMESPACES = ("linkerd", "linkerd-multicluster")
"""Their pods are judged by Deployment, as components of the control plane."""
STUCK = (
    "CrashLoopBackOff",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "CreateContainerConfigError",
    "RunContainerError",
)


def healthy(state: LabState) -> list[Problem]:
    """The problems that stand between this lab and a healthy one; empty means healthy."""
    return list(state.problems)


def problems(state: LabState) -> Iterator[Problem]:
    """Problems seen in a state's clusters, links, traffic and faults."""
    by_id = {fault.id: fault for fault in state.faults}
    for cluster in state.clusters:
        yield from _cluster(cluster, by_id)
    silent = {c.name for c in state.clusters if c.adrift or c.state in ("unreachable", "down", "paused")}
    for link in state.links:
        if link.state != "up" and link.from_ not in silent and link.to not in silent:
            yield _link(link)
    for service in state.services:
        yield from _service(service)
    for fault in state.faults:
        if fault.state != "active":
            why = "its lease is over" if fault.state == "overdue" else "its command did not finish"
            what = f"{fault.kind} on {fault.target} is {fault.state}: {why}"
            yield Problem(f"fault {fault.id}", what, _heal(fault.id))


def _heal(fault_id: str) -> str:
    return f"lab fault.heal --id {fault_id}"


def _cluster(cluster: Cluster, faults: dict[str, Fault]) -> Iterator[Problem]:
    where = f"cluster {cluster.name}"
    cause = next((faults[i] for i in cluster.faults if faults[i].kind in ("pause", "api", "node")), None)
    if cluster.state == "paused":
        yield Problem(where, "is paused", _heal(cause.id) if cause else f"lab up --cluster {cluster.name}")
    elif cluster.adrift and cluster.state != "down":
        yield Problem(where, f"is not as `up` left it: {cluster.adrift}", "lab up")
    elif cluster.state in ("unreachable", "down"):
        what = "does not run" if cluster.state == "down" else "its API server does not answer"
        remedy = _heal(cause.id) if cause else f"lab up --cluster {cluster.name}"
        yield Problem(where, f"{what}: {cluster.api.error}", remedy)
    elif cluster.state == "starting":
        yield Problem(where, "has no node yet", "lab up")
    else:
        yield from _parts(cluster, where, faults)


def _parts(cluster: Cluster, where: str, faults: dict[str, Fault]) -> Iterator[Problem]:
    for node in cluster.nodes:
        if not node.ready:
            yield Problem(f"{where}, node {node.name}", f"is not ready: {node.reason}", "lab up")
    core = [f for f in cluster.faults if faults[f].kind == "control-plane"]
    gateway = [f for f in cluster.faults if faults[f].kind == "gateway"]
    for part in cluster.control_plane.components:
        if not part.healthy:
            cause = (gateway if part.name == "linkerd-gateway" else core)[:1]
            remedy = _heal(cause[0]) if cause else f"lab logs {cluster.name}/{part.namespace}/{part.name}"
            what = f"{part.ready} of {part.wanted} ready" if part.wanted else "scaled to zero"
            yield Problem(f"{where}, {part.namespace}/{part.name}", what, remedy)
    if cluster.control_plane.state == "down" and not cluster.control_plane.components:
        yield Problem(where, "has no control plane", "lab up")


def _link(link: Link) -> Problem:
    remedy = _heal(link.faults[0]) if link.faults else f"lab link.add {link.from_} {link.to}"
    if link.state in ("degraded", "down") and not link.faults:
        remedy = f"lab logs {link.from_}/linkerd-multicluster/controller-{link.to}"
    return Problem(f"link {link.from_} -> {link.to}", f"{link.state}: {link.reason}", remedy)


def _service(service: Service) -> Iterator[Problem]:
    if service.success is None or service.success >= GOOD_SUCCESS:
        return
    worst = ", ".join(f"{name} x{count}" for name, count in list(service.errors.items())[:3])
    what = f"{1 - service.success:.1%} of {service.rate:.0f}/s failed ({worst})"
    yield Problem(f"traffic {service.cluster} -> {service.url}", what, "lab fault.list; lab link.list")


def pod_problems(cluster: str, pods: Iterable[Object]) -> Iterator[Problem]:
    """Pods whose containers cannot run, with the reason the node gives, and apps' pods not yet ready."""
    for pod in pods:
        name = f"{objects.namespace(pod)}/{objects.name(pod)}"
        where, remedy = f"cluster {cluster}, pod {name}", f"lab logs {cluster}/{name}"
        if stuck := list(_stuck(pod)):
            yield from (Problem(where, what, remedy) for what in stuck)
        elif objects.namespace(pod) not in MESH_NAMESPACES and _is_unready(pod):
            yield Problem(where, f"is not ready: {_why_unready(pod)}", remedy)


def _stuck(pod: Object) -> Iterator[str]:
    status = objects.status(pod)
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in STUCK:
            what = f"container {container.get('name')}: {waiting['reason']}: {waiting.get('message', '')}"
            yield what.rstrip(": ")


def _is_unready(pod: Object) -> bool:
    is_done = objects.status(pod).get("phase") in ("Succeeded", "Failed")
    return not (is_done or objects.is_deleting(pod) or objects.is_pod_ready(pod))


def _why_unready(pod: Object) -> str:
    condition = objects.condition(pod, "Ready") or {}
    return str(condition.get("message") or objects.status(pod).get("phase") or "the node has not seen it yet")
