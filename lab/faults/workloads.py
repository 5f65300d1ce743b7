"""Faults made through the Kubernetes API: what is scaled down or killed, and how it comes back.

They work alike on every engine. Applying waits until the pods are really gone, healing until the
restored ones are ready: both are read back from the API, never assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.base.errors import UsageError
from lab.base.wait import until
from lab.faults.model import Fault
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import DEPLOYMENTS, PODS
from lab.kube.objects import Object, spec, status
from lab.kube.selectors import from_label_selector

GONE_WITHIN = 40.0
"""Seconds for pods to leave: their grace period of 30 and some slack."""
BACK_WITHIN = 60.0
"""Seconds for restored pods to become ready."""


@dataclass(frozen=True)
class Selection:
    """Deployments of one namespace: the named one, or all."""

    namespace: str
    name: str = ""


SELECTIONS: Mapping[str, Selection] = {
    "gateway": Selection("linkerd-multicluster", "linkerd-gateway"),
    "control-plane": Selection("linkerd"),
}


def selection(fault: Fault) -> Selection:
    """The Deployments a fault is about."""
    return SELECTIONS.get(fault.kind) or Selection(fault.target.namespace, fault.target.service)


async def deployments(client: Client, chosen: Selection) -> list[Object]:
    """The selected Deployments. Raises UsageError, naming what is there, when none fits."""
    everything = await client.list(DEPLOYMENTS, chosen.namespace)
    found = [d for d in everything if chosen.name in ("", objects.name(d))]
    if not found:
        there = ", ".join(sorted(map(objects.name, everything))) or "none"
        raise UsageError(
            f"no Deployment {chosen.namespace}/{chosen.name or '*'} on {client.server}; there: {there}"
        )
    return found


def replicas(deployment: Object) -> int:
    return int(spec(deployment).get("replicas", 1))


async def scale(client: Client, namespace: str, name: str, count: int) -> None:
    """Set a Deployment's replicas and wait until exactly that many pods are there and ready."""
    await client.patch(DEPLOYMENTS, name, {"spec": {"replicas": count}}, namespace)

    async def is_scaled() -> bool:
        deployment = await client.get(DEPLOYMENTS, name, namespace)
        seen = status(deployment)
        if seen.get("observedGeneration", 0) < objects.meta(deployment).get("generation", 0):
            return False
        if count:
            return bool(seen.get("readyReplicas", 0) == count)
        return not await pods_of(client, deployment)

    limit = BACK_WITHIN if count else GONE_WITHIN
    await until(is_scaled, timeout=limit, what=f"Deployment {namespace}/{name} at {count} replicas")


async def pods_of(client: Client, deployment: Object) -> list[Object]:
    """The pods that a Deployment's selector matches, also those on their way out."""
    wanted = from_label_selector(spec(deployment)["selector"])
    pods = await client.list(PODS, objects.namespace(deployment))
    return [pod for pod in pods if wanted.matches(objects.labels(pod))]


async def kill(client: Client, chosen: Selection) -> int:
    """Delete every pod of the selected Deployments without grace; returns how many there were."""
    found = await deployments(client, chosen)
    doomed = [pod for deployment in found for pod in await pods_of(client, deployment)]
    for pod in doomed:
        try:
            await client.delete(PODS, objects.name(pod), objects.namespace(pod), gracePeriodSeconds=0)
        except NotFound:
            continue  # it ended by itself between the list and the delete
    return len(doomed)


async def all_ready(client: Client, chosen: Selection) -> bool:
    """Whether every selected Deployment has all the replicas it wants, ready."""
    found = await deployments(client, chosen)
    return all(status(d).get("readyReplicas", 0) == replicas(d) for d in found)
