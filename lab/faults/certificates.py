"""Certificates that nobody believes, and clocks by which they are signed: made by the lab's own mesh.

An object asks the identity service for the flaw; then every proxy concerned is told to get a new certificate,
and what it uses is read back; then connections made with the old ones are drained. Healing goes the same way.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.wait import until
from lab.controlplane.faults import Flaw, flaw_of
from lab.controlplane.proxy.certificate import COMMAND
from lab.faults.actuator import Others
from lab.faults.meshmade import MeshMade
from lab.faults.model import Fault, Target
from lab.faults.settings import value
from lab.faults.site import Site
from lab.faults.workloads import PROXY, is_meshed
from lab.kube.client import Client
from lab.kube.exec import Container, output
from lab.kube.kinds import CERTIFICATE_FAULTS, PODS
from lab.kube.objects import Object, labels, name, namespace, spec, status
from lab.kube.selectors import from_label_selector
from lab.topology.fault_words import PROBLEMS

ANSWERS_WITHIN = 10.0
RENEWED_WITHIN = 30.0
"""Seconds for a proxy to use the certificate that it should have."""
SLACK = 15.0
"""Seconds that a clock may seem to be off because signing and writing take time."""


@dataclass(frozen=True)
class CertificateFaults(MeshMade):
    """Flawed certificates of pods; see lab.faults.actuator.Actuator."""

    async def apply(self, site: Site, fault: Fault, others: Others) -> None:
        await self.put(site, fault)
        await together(*(_settle(site, fault, cluster) for cluster in fault.target.clusters))
        await self.put(site, fault, cutConnections=True)

    async def clear(self, site: Site, fault: Fault, others: Others) -> None:
        await super().clear(site, fault, others)
        await together(*(_settle(site, fault, cluster) for cluster in fault.target.clusters))

    async def lift(self, site: Site, cluster: str, stray: Object) -> None:
        await super().lift(site, cluster, stray)
        place = f"{namespace(stray)}/{name(stray)}"
        before = {cluster: {place: spec(stray).get("podSelector") or {}}}
        await _settle(site, Fault("", "certificate", Target((cluster,)), 0.0, before=before), cluster)

    async def actual(self, site: Site, fault: Fault, others: Others) -> bool | None:
        async def one(cluster: str) -> bool:
            async with await site.connect(cluster) as client:
                faults = await client.list(CERTIFICATE_FAULTS)
                pods = await _pods(client, fault, cluster)
                return all(await together(*(_fits(client, pod, faults, renew=False) for pod in pods)))

        asked = await super().actual(site, fault, others)
        try:
            return asked and all(await together(*(one(cluster) for cluster in fault.target.clusters)))
        except LabError:
            return None


def certificate(fault: Fault) -> Object:
    """What a CertificateFault asks for. Pure."""
    if fault.kind == "clock":
        return {"clockSkewSeconds": round(value(fault, "skew", 0))}
    return {"problem": PROBLEMS[round(value(fault, "problem", 0))]}


async def _settle(site: Site, fault: Fault, cluster: str) -> None:
    """Have the proxies of a cluster that the fault is about use what all faults together want of them."""
    async with await site.connect(cluster) as client:
        faults = await client.list(CERTIFICATE_FAULTS)

        async def one(pod: Object) -> None:
            await until(
                lambda: _fits(client, pod, faults, renew=True),
                timeout=RENEWED_WITHIN,
                what=f"the proxy of {cluster}/{namespace(pod)}/{name(pod)} has the certificate meant for it",
            )

        await together(*(one(pod) for pod in await _pods(client, fault, cluster)))


async def _pods(client: Client, fault: Fault, cluster: str) -> list[Object]:
    """The pods that a fault is about and whose proxies run."""
    chosen = [
        (place.split("/")[0], from_label_selector(selector))
        for place, selector in fault.before.get(cluster, {}).items()
    ]
    return [
        pod
        for pod in await client.list(PODS)
        if is_meshed(pod)
        and _is_running(pod)
        and any(ns == namespace(pod) and selector.matches(labels(pod)) for ns, selector in chosen)
    ]


def _is_running(pod: Object) -> bool:
    seen = status(pod)
    containers = [*seen.get("initContainerStatuses", ()), *seen.get("containerStatuses", ())]
    return any(one["name"] == PROXY and "running" in one.get("state", {}) for one in containers)


async def _fits(client: Client, pod: Object, faults: Iterable[Object], *, renew: bool) -> bool:
    """Whether a proxy uses a certificate as it is wanted, after it got a new one if `renew`."""
    command = (COMMAND, "--renew") if renew else (COMMAND,)
    where = Container(namespace(pod), name(pod), PROXY)
    said = await output(client, where, command, ANSWERS_WITHIN)
    try:
        found = json.loads(said)
    except ValueError as error:
        raise LabError(f"{COMMAND} in {where}: {said.strip() or 'no answer'}") from error
    mine = [one for one in faults if namespace(one) == namespace(pod)]
    return fits(flaw_of(pod, mine), str(found["problem"]), found["skewSeconds"])


def fits(wanted: Flaw, problem: str, skew: float) -> bool:
    """Whether what was found of a certificate is what is wanted. Pure."""
    if wanted.problem:
        return problem == wanted.problem
    return abs(skew - wanted.skew.total_seconds()) < SLACK and (bool(wanted.skew) or not problem)
