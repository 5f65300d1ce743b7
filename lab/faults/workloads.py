"""Faults made through the Kubernetes API: what is scaled down or killed, and how it comes back.

They work alike on every engine. Applying waits until the pods are really gone, healing until the
restored ones are ready: both are read back from the API, never assumed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from lab.base.errors import UsageError
from lab.base.wait import until
from lab.faults.model import Fault
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import DEPLOYMENTS, PODS, SERVICES
from lab.kube.objects import Object, spec, status
from lab.kube.selectors import LabelSelector, from_label_selector, label_selector

PROXY = "linkerd-proxy"
GONE_WITHIN = 40.0
"""Seconds for pods to leave: their grace period of 30 and some slack."""
BACK_WITHIN = 60.0
"""Seconds for restored pods to become ready."""


@dataclass(frozen=True)
class Selection:
    """Deployments of one namespace: all, those named (with commas), those whose pods have the labels that a
    selector asks for, or those behind a Service of that name."""

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
    """The selected Deployments. Raises UsageError, naming what is there, when none fits, or when one is not
    the lab's, which then must not be broken."""
    everything = await client.list(DEPLOYMENTS, chosen.namespace)
    if not chosen.name:
        found = everything
    elif is_selector(chosen.name):
        found = _labelled(everything, label_selector(chosen.name))
    else:
        named = [await _named(client, chosen.namespace, everything, one) for one in chosen.name.split(",")]
        found = list({objects.name(d): d for some in named for d in some}.values()) if all(named) else []
    if not found:
        there = ", ".join(sorted(map(objects.name, everything))) or "none"
        raise UsageError(
            f"no Deployment {chosen.namespace}/{chosen.name or '*'} on {client.server}; there: {there}"
        )
    if others := [objects.name(one) for one in found if not client.owns(one)]:
        where = f"{chosen.namespace}/{others[0]} on {client.server}"
        raise UsageError(f"{where} was not made by this lab, which breaks only what is its own")
    return found


def is_selector(word: str) -> bool:
    """Whether a word selects by labels (`app=front`, `tier in (a, b)`) and is not a list of names. Pure."""
    return any(mark in word for mark in "=!(")


def is_meshed(pod: Object) -> bool:
    """Whether a proxy stands before a pod. Pure."""
    containers = [*(spec(pod).get("initContainers") or []), *(spec(pod).get("containers") or [])]
    return any(container["name"] == PROXY for container in containers)


def _labelled(everything: Iterable[Object], wanted: LabelSelector) -> list[Object]:
    return [d for d in everything if wanted.matches(objects.labels(spec(d)["template"]))]


async def _named(client: Client, namespace: str, everything: list[Object], name: str) -> list[Object]:
    """The Deployment of that name, or those whose pods a Service of that name selects."""
    if found := [d for d in everything if objects.name(d) == name]:
        return found
    try:
        selector = spec(await client.get(SERVICES, name, namespace)).get("selector")
    except NotFound:
        return []
    return _labelled(everything, from_label_selector({"matchLabels": selector})) if selector else []


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


async def kill(client: Client, chosen: Selection, share: float = 1.0, seed: int = 0) -> int:
    """Delete a share of the pods of the selected Deployments without grace; returns how many that were."""
    found = await deployments(client, chosen)
    pods = [pod for deployment in found for pod in await pods_of(client, deployment)]
    doomed = drawn(pods, share, seed)
    for pod in doomed:
        try:
            await client.delete(PODS, objects.name(pod), objects.namespace(pod), gracePeriodSeconds=0)
        except NotFound:
            continue  # it ended by itself between the list and the delete
    return len(doomed)


def drawn(pods: Iterable[Object], share: float, seed: int) -> list[Object]:
    """A share of pods, at least one where there are any; the same ones for the same seed. Pure."""
    known = sorted(pods, key=objects.name)
    count = max(round(len(known) * share), 1) if share else 0
    return Random(seed).sample(known, min(count, len(known)))


async def all_ready(client: Client, chosen: Selection) -> bool:
    """Whether every selected Deployment has all the replicas it wants, ready."""
    found = await deployments(client, chosen)
    return all(status(d).get("readyReplicas", 0) == replicas(d) for d in found)
