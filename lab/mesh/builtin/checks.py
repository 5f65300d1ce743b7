"""What must hold for clusters to be linked, asked of the live clusters; each answer says what to do.

Follows `linkerd multicluster check`, plus the live trust roots, which that one does not compare
(linkerd2 #11668).
"""

import asyncio
from collections.abc import Sequence

from lab.controlplane.identity.certificates import Pair
from lab.controlplane.mirror.labels import CLUSTER_NAME, MIRRORED_SERVICE, REMOTE_DISCOVERY
from lab.controlplane.mirror.link import LinkError, link_of
from lab.controlplane.mirror.main import kubeconfig_of
from lab.kube.client import Client
from lab.kube.errors import ApiError, NotFound
from lab.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, ENDPOINTS, LINKS, SECRETS, SERVICES
from lab.kube.objects import Object, annotations, labels, name, namespace, spec, status
from lab.mesh.builtin import control_plane
from lab.mesh.builtin.link_objects import NAMESPACE
from lab.mesh.protocol import Finding, MeshCluster
from lab.mesh.trust import is_good, trusts


async def cluster(it: MeshCluster, anchor: Pair, all_clusters: Sequence[MeshCluster]) -> list[Finding]:
    """Every check of one cluster; an API server that does not answer is one finding, not an exception."""
    known = {other.name for other in all_clusters}
    try:
        parts = await asyncio.gather(deployments(it), _trust(it, anchor), _links(it, known), _mirrors(it))
    except ApiError as error:
        return [Finding("API server answers", it.name, ok=False, seen=str(error), remedy="`inv status`")]
    return [finding for part in parts for finding in part]


async def deployments(it: MeshCluster) -> list[Finding]:
    """One finding per Deployment of the control plane and the extension."""
    groups = await asyncio.gather(*(it.client.list(DEPLOYMENTS, ns) for ns in ("linkerd", NAMESPACE)))
    found = [deployment for group in groups for deployment in group]
    if not found:
        seen = "no Deployment in linkerd or linkerd-multicluster"
        return [Finding("mesh is installed", it.name, ok=False, seen=seen, remedy="`inv up`")]
    return [_deployment(it, deployment) for deployment in found]


def _deployment(it: MeshCluster, deployment: Object) -> Finding:
    wanted = int(spec(deployment).get("replicas", 1))
    ready = int(status(deployment).get("readyReplicas") or 0)
    where = f"{it.name} {namespace(deployment)}/{name(deployment)}"
    remedy = f"kubectl describe pods -n {namespace(deployment)}"
    return Finding(
        "component runs", where, ready >= wanted > 0, f"{ready} of {wanted} pods are ready", remedy
    )


async def _trust(it: MeshCluster, anchor: Pair) -> list[Finding]:
    try:
        roots = await it.client.get(CONFIG_MAPS, control_plane.TRUST_ROOTS, "linkerd")
        issuer = await it.client.get(SECRETS, control_plane.ISSUER_SECRET, "linkerd")
    except NotFound as error:
        return [Finding("trust is set up", it.name, ok=False, seen=str(error), remedy="`inv up`")]
    good = is_good(issuer, anchor, control_plane.ISSUER_FIELDS)
    return [
        Finding(
            "clusters share the trust anchor",
            it.name,
            trusts(roots, anchor),
            "ConfigMap linkerd-identity-trust-roots against the lab's anchor",
            "`inv up` writes it again",
        ),
        Finding(
            "issuer is valid", it.name, good, "Secret linkerd-identity-issuer", "`inv up` makes a new one"
        ),
    ]


async def _links(it: MeshCluster, known: set[str]) -> list[Finding]:
    try:
        found = await it.client.list(LINKS, NAMESPACE)
    except NotFound:
        return [Finding("Link CRD exists", it.name, ok=False, seen="not served", remedy="`inv up`")]
    answers = await asyncio.gather(*(_link(it, obj, known) for obj in found))
    return [finding for answer in answers for finding in answer]


async def _link(it: MeshCluster, obj: Object, known: set[str]) -> list[Finding]:
    where = f"{it.name} → {name(obj)}"
    try:
        link = link_of(obj)
    except LinkError as error:
        return [
            Finding("Link is valid", where, ok=False, seen=str(error), remedy="repair or remove the Link")
        ]
    findings = [
        Finding("Link is valid", where, link.cluster in known, f"target {link.cluster}", "`inv link.remove`")
    ]
    try:
        secret = await it.client.get(SECRETS, link.secret, NAMESPACE)
        async with await Client.from_kubeconfig_data(kubeconfig_of(secret)) as remote:
            seen = remote.server
        findings.append(Finding("credentials are there", where, ok=True, seen=seen))
    except NotFound as error:
        findings.append(
            Finding("credentials are there", where, ok=False, seen=str(error), remedy="link again")
        )
    return findings


async def _mirrors(it: MeshCluster) -> list[Finding]:
    """Gateway mirrors without ready endpoints, and mirrors of no link."""
    try:
        links, services, endpoints = await asyncio.gather(
            it.client.list(LINKS, NAMESPACE),
            it.client.list(SERVICES, labels=f"{MIRRORED_SERVICE}=true"),
            it.client.list(ENDPOINTS, labels=f"{MIRRORED_SERVICE}=true"),
        )
    except NotFound:
        return []
    targets = {spec(link).get("targetClusterName") for link in links}
    ready = {
        (namespace(e), name(e)) for e in endpoints if any(s.get("addresses") for s in e.get("subsets") or [])
    }
    findings = []
    for service in services:
        where = f"{it.name} {namespace(service)}/{name(service)}"
        source = labels(service).get(CLUSTER_NAME)
        if source and source not in targets:
            seen = f"its cluster {source} is not linked"
            findings.append(
                Finding("mirror belongs to a link", where, ok=False, seen=seen, remedy="delete it")
            )
        is_discovered = REMOTE_DISCOVERY in labels(service) or REMOTE_DISCOVERY in annotations(service)
        if source and not is_discovered:
            has = (namespace(service), name(service)) in ready
            findings.append(
                Finding("mirror has endpoints", where, has, "ready" if has else "no ready endpoint")
            )
    return findings
