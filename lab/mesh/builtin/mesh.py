"""The embedded mesh, installed through the Kubernetes API like any other software.

Order matters only where it must: namespaces and CRDs, then everything; pods that need a proxy come once the
injector answers. Clusters are independent, so callers run this for all of them at once.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence

from lab.base.log import get_logger
from lab.base.state import LabDir
from lab.base.wait import until
from lab.controlplane.mirror.labels import CLUSTER_NAME, MIRRORED_SERVICE
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import (
    DEPLOYMENTS,
    LINKS,
    MUTATING_WEBHOOKS,
    SECRETS,
    SERVICES,
)
from lab.kube.objects import Object, labels, name, spec, status
from lab.mesh.builtin import checks, control_plane, link_objects, manifests
from lab.mesh.builtin.apply import apply_all, apply_waves, kind, remove_all
from lab.mesh.builtin.link_objects import NAMESPACE, Target
from lab.mesh.mirrors import remove_mirrors
from lab.mesh.protocol import Finding, LinkSpec, LinkState, MeshCluster, MeshVersion, Task
from lab.mesh.specs import link_state
from lab.mesh.trust import is_good, lab_anchor, new_issuer

log = get_logger(__name__)

INJECTOR_TIMEOUT = 30.0
LINK_TIMEOUT = 30.0
_PROFILE_FLAGS = {"linkerd-proxy-injector": "--profile", "linkerd-destination": "--mesh-version"}
TOKEN_SECRET = "linkerd-service-mirror-remote-access-default-token"


class BuiltinMesh:
    """Implements lab.mesh.protocol.Mesh for one lab."""

    def __init__(self, lab: LabDir, version: MeshVersion | None = None) -> None:
        self.lab = lab
        self._version = version or MeshVersion()
        self._anchor = lab_anchor(lab)

    async def available(self) -> None:
        """It is part of this program."""

    async def install(self, cluster: MeshCluster) -> None:
        """Install everything; returns when the injector answers and all objects are in place."""
        client = cluster.client
        base = [d for name in ("gateway-api", "crds", "linkerd") for d in manifests.documents(name)]
        extension = manifests.documents("linkerd-multicluster")
        await apply_waves(
            client, [*map(self._filled, base), *await self._secrets(cluster), *self._settings()]
        )
        waiting = [obj for obj in extension if kind(obj) == DEPLOYMENTS]
        await asyncio.gather(
            self._injector_ready(cluster),
            apply_waves(client, [obj for obj in extension if obj not in waiting]),
        )
        await apply_all(client, waiting)
        log.info("mesh installed", cluster=cluster.name)

    async def ready(self, cluster: MeshCluster) -> list[Finding]:
        """One finding per Deployment of the mesh."""
        return await checks.deployments(cluster)

    async def link(self, source: MeshCluster, target: MeshCluster, spec: LinkSpec) -> None:
        """Create the link's objects in the source, once the target has a gateway address and a token."""
        token, addresses = await asyncio.gather(
            self._token(target), self._gateway(target) if spec.has_gateway else _none()
        )
        known = Target(target.name, target.api_url, target.api_ca, token, addresses)
        objects = link_objects.objects(known, spec, self._version.profile)
        await remove_all(source.client, link_objects.outdated(target.name, spec, self._version.profile))
        await apply_all(source.client, objects)
        log.info("linked", source=source.name, target=target.name, modes=",".join(sorted(spec.modes)))

    async def unlink(self, source: MeshCluster, target: str) -> None:
        """Take the controller's rights, then its objects, then the mirrors it leaves behind."""
        client = source.client
        # Without its binding a controller that still runs cannot make a mirror again while they go.
        await remove_all(client, link_objects.removals(target, self._version.profile))
        await remove_mirrors(client, target)
        log.info("unlinked", source=source.name, target=target)

    async def links(self, source: MeshCluster) -> list[LinkState]:
        """Read from the Link objects."""
        found = await source.client.list(LINKS, NAMESPACE)
        mirrors = await source.client.list(SERVICES, labels=f"{MIRRORED_SERVICE}=true")
        counts = [labels(mirror).get(CLUSTER_NAME) for mirror in mirrors]
        return [
            link_state(source.name, link, counts.count(spec(link).get("targetClusterName"))) for link in found
        ]

    async def preview(self, cluster: str) -> list[Object]:
        """The manifests that ship with the lab."""
        folders = ("gateway-api", "crds", "linkerd", "linkerd-multicluster")
        return [obj for folder in folders for obj in manifests.documents(folder)]

    async def commands(self, tasks: Sequence[Task], clients: Mapping[str, Client]) -> list[tuple[str, str]]:
        """It runs no programs of others."""
        return []

    async def check(self, clusters: Sequence[MeshCluster]) -> list[Finding]:
        """All checks over all clusters, each cluster on its own time."""
        answers = await asyncio.gather(*(checks.cluster(c, self._anchor, clusters) for c in clusters))
        return [finding for answer in answers for finding in answer]

    def _filled(self, obj: Object) -> Object:
        if kind(obj) == MUTATING_WEBHOOKS:
            return control_plane.with_bundle(obj, self._anchor)
        flag = _PROFILE_FLAGS.get(name(obj)) if kind(obj) == DEPLOYMENTS else None
        if not flag:
            return obj
        bugs = self._version.emulate if name(obj) == "linkerd-destination" else ()
        switches = [f"--emulate={bug}" for bug in bugs]
        return control_plane.with_arguments(obj, f"{flag}={self._version.profile}", *switches)

    def _settings(self) -> list[Object]:
        return [
            control_plane.trust_roots(self._anchor),
            control_plane.config(self._anchor, self._version.profile),
        ]

    async def _secrets(self, cluster: MeshCluster) -> list[Object]:
        """The Secrets with keys; those that are still good stay."""
        issuer, injector = await asyncio.gather(
            _find(cluster, control_plane.ISSUER_SECRET), _find(cluster, control_plane.INJECTOR_SECRET)
        )
        wanted = []
        if not is_good(issuer, self._anchor, control_plane.ISSUER_FIELDS):
            wanted.append(control_plane.issuer_secret(new_issuer(self._anchor)))
        if not is_good(injector, self._anchor, control_plane.TLS_FIELDS):
            wanted.append(control_plane.injector_secret(self._anchor))
        return wanted

    async def _injector_ready(self, cluster: MeshCluster) -> None:
        async def probe() -> bool:
            deployment = await cluster.client.get(DEPLOYMENTS, "linkerd-proxy-injector", "linkerd")
            return bool(status(deployment).get("readyReplicas"))

        await until(probe, timeout=INJECTOR_TIMEOUT, what=f"{cluster.name}: the proxy injector is ready")

    async def _token(self, target: MeshCluster) -> str:
        async def probe() -> str:
            secret = await target.client.get(SECRETS, TOKEN_SECRET, NAMESPACE)
            return str((secret.get("data") or {}).get("token", ""))

        encoded = await until(
            probe, timeout=LINK_TIMEOUT, what=f"{target.name}: Secret {TOKEN_SECRET} has a token"
        )
        return base64.b64decode(encoded).decode()

    async def _gateway(self, target: MeshCluster) -> tuple[str, ...]:
        async def probe() -> tuple[str, ...]:
            service = await target.client.get(SERVICES, "linkerd-gateway", NAMESPACE)
            ingress = (status(service).get("loadBalancer") or {}).get("ingress") or []
            return tuple(entry.get("ip") or entry.get("hostname") for entry in ingress)

        what = f"{target.name}: Service linkerd-gateway has a load balancer address"
        return await until(probe, timeout=LINK_TIMEOUT, what=what)


async def _none() -> tuple[str, ...]:
    return ()


async def _find(cluster: MeshCluster, secret: str) -> Object | None:
    try:
        return await cluster.client.get(SECRETS, secret, "linkerd")
    except NotFound:
        return None
