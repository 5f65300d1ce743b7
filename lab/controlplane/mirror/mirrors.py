"""Brings the mirrors of one remote Service to what desired.py and federated.py say they must be.

Reads a view, writes the local cluster. While the remote API has not been heard of, what stands stays;
only the gateway's verdict is applied.
"""

from lab.base.log import get_logger
from lab.controlplane import events
from lab.controlplane.mirror import desired, federated
from lab.controlplane.mirror.desired import Gateway
from lab.controlplane.mirror.status import Board, Outcome
from lab.controlplane.mirror.view import View
from lab.controlplane.mirror.writer import NotOurs, Writer
from lab.kube.kinds import ENDPOINTS, SERVICES
from lab.kube.objects import Key, Object, is_deleting, key, meta, name

log = get_logger(__name__)


class Mirrors:
    """Reconciles by remote (namespace, name)."""

    def __init__(self, view: View, writer: Writer, board: Board) -> None:
        self._view, self._writer, self._board = view, writer, board

    async def reconcile(self, remote_key: Key) -> float | None:
        """Bring mirror, endpoints and federated membership of one remote Service to what they must be."""
        if not self._view.is_remote_known():
            await self._apply_verdict(remote_key)
            return 1.0
        remote = self._view.remote_services.get(*remote_key)
        if remote is not None and (is_deleting(remote) or not self._view.concerns(remote)):
            remote = None
        missing = self._missing_namespace(remote_key)
        if missing:
            if remote is not None:
                await self._skip(remote, Outcome("MissingNamespace", missing))
            return None
        await self._reconcile_mirror(remote_key, remote)
        await self._reconcile_federated(remote_key, remote)
        return None

    async def _reconcile_mirror(self, remote_key: Key, remote: Object | None) -> None:
        mode = desired.mode_of(remote, self._view.link) if remote else None
        local_key = (remote_key[0], desired.mirror_name(remote_key[1], self._view.link))
        service, endpoints = (
            self._view.local.services.get(*local_key),
            self._view.local.endpoints.get(*local_key),
        )
        if remote is None or mode is None:
            if service is not None and desired.is_mark_of(service, self._view.link):
                await self._writer.remove(SERVICES, service)
                await self._writer.remove(ENDPOINTS, endpoints)
                log.info(
                    "mirror removed", link=self._view.link.name, namespace=local_key[0], service=local_key[1]
                )
            self._board.note(remote_key, None)
            return
        if invalid := desired.why_invalid(remote):
            await self._skip(remote, Outcome("InvalidService", invalid))
            return
        wanted = desired.mirror_service(remote, self._view.link, mode)
        try:
            ours = service is None or desired.is_mark_of(service, self._view.link)
            if await self._writer.ensure(SERVICES, service, wanted, is_ours=ours):
                log.info(
                    "mirrored",
                    link=self._view.link.name,
                    namespace=local_key[0],
                    service=local_key[1],
                    mode=mode,
                )
        except NotOurs as error:
            await self._skip(remote, Outcome("Error", str(error)))
            return
        if mode == "gateway":
            await self._writer.ensure(ENDPOINTS, endpoints, self._endpoints(remote, endpoints))
        else:
            await self._writer.remove(ENDPOINTS, endpoints)
        self._board.note(remote_key, Outcome("Mirrored", local=local_key[1]))

    def _endpoints(self, remote: Object, existing: Object | None) -> Object:
        gateway = self._view.gateway
        if gateway.alive is None and desired.is_dead(existing):
            # No verdict yet after a start: what the predecessor found stays until there is one.
            gateway = Gateway(gateway.addresses, alive=False)
        has_ready = desired.has_ready_address(self._view.remote_endpoints.get(*key(remote)))
        return desired.mirror_endpoints(remote, self._view.link, gateway, has_ready=has_ready)

    async def _reconcile_federated(self, remote_key: Key, remote: Object | None) -> None:
        if self._view.profile.version == "2.14":
            return
        existing = self._view.local.services.get(remote_key[0], federated.federated_name(remote_key[1]))
        if remote is not None and desired.is_member(remote, self._view.link):
            wanted = federated.join(existing, remote, self._view.link, is_oldest=self._is_oldest(existing))
            ours = existing is None or federated.is_federated(existing)
            try:
                if await self._writer.ensure(SERVICES, existing, wanted, is_ours=ours):
                    log.info(
                        "federated", link=self._view.link.name, namespace=remote_key[0], service=name(wanted)
                    )
            except NotOurs as error:
                self._board.note(remote_key, Outcome("Error", str(error)), federated=True)
                return
            self._board.note(remote_key, Outcome("Mirrored", local=name(wanted)), federated=True)
            return
        self._board.note(remote_key, None, federated=True)
        if existing is not None and self._view.link.cluster in federated.clusters_of(existing):
            left = federated.leave(existing, self._view.link.cluster)
            if left is None:
                await self._writer.remove(SERVICES, existing)
            else:
                await self._writer.ensure(SERVICES, existing, left)

    def _is_oldest(self, existing: Object | None) -> bool:
        clusters = set(federated.clusters_of(existing)) | {self._view.link.cluster}
        ages = [
            (str(meta(link).get("creationTimestamp", "")), name(link))
            for link in self._view.local.links.list()
            if (link.get("spec") or {}).get("targetClusterName") in clusters
        ]
        return not ages or min(ages)[1] == self._view.link.name

    def _missing_namespace(self, remote_key: Key) -> str:
        local = self._view.local.namespaces.get("", remote_key[0])
        if local is None:
            return f"namespace {remote_key[0]} does not exist in this cluster"
        return f"namespace {remote_key[0]} is being deleted" if is_deleting(local) else ""

    async def _skip(self, remote: Object, outcome: Outcome) -> None:
        """Not mirrored: say so on the remote Service, once per reason."""
        if not self._board.note(key(remote), outcome):
            return
        log.warning("not mirrored", link=self._view.link.name, service=key(remote), reason=outcome.message)
        component = f"linkerd-service-mirror-{self._view.link.cluster}"
        message = f"Skipped mirroring service: {outcome.message}"
        about = events.event(remote, component, "ServiceMirroringSkipped", message, kind="Warning")
        await events.record(self._view.clusters.remote, about)

    async def _apply_verdict(self, remote_key: Key) -> None:
        endpoints = self._view.local.endpoints.get(
            remote_key[0], desired.mirror_name(remote_key[1], self._view.link)
        )
        if endpoints is not None and self._view.gateway.alive is not None:
            flipped = desired.with_readiness(endpoints, alive=self._view.gateway.alive)
            await self._writer.ensure(ENDPOINTS, endpoints, flipped)
