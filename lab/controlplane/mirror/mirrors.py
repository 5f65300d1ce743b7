"""Brings the mirrors of one remote Service to what desired.py and headless.py say they must be.

Reads a view, writes the local cluster. While the remote API has not been heard of, what stands stays;
only the gateway's verdict is applied.
"""

from lab.base.log import get_logger
from lab.controlplane import events
from lab.controlplane.mirror import desired, headless
from lab.controlplane.mirror.members import Members
from lab.controlplane.mirror.pods import PodMirrors
from lab.controlplane.mirror.status import Board, Outcome
from lab.controlplane.mirror.view import View
from lab.controlplane.mirror.writer import NotOurs, Writer
from lab.kube.errors import AlreadyExists
from lab.kube.kinds import ENDPOINTS, NAMESPACES, SERVICES
from lab.kube.objects import Key, Object, is_deleting, key, name, namespace

log = get_logger(__name__)


class Mirrors:
    """Reconciles by remote (namespace, name)."""

    def __init__(self, view: View, writer: Writer, board: Board) -> None:
        self._view, self._writer, self._board = view, writer, board
        self._members = Members(view, writer, board)
        self._pods = PodMirrors(view, writer)

    async def reconcile(self, remote_key: Key) -> float | None:
        """Bring mirror, endpoints and federated membership of one remote Service to what they must be."""
        if not self._view.is_remote_known():
            await self._apply_verdict(remote_key)
            return 1.0
        remote = self._view.remote_services.get(*remote_key)
        if remote is not None and (is_deleting(remote) or not self._view.concerns(remote)):
            remote = None
        missing = self._missing_namespace(remote_key)
        if missing and not (remote is not None and await self._create_namespace(remote_key[0])):
            if remote is not None:
                await self._skip(remote, Outcome("MissingNamespace", missing))
            return None
        await self._reconcile_mirror(remote_key, remote)
        await self._members.reconcile(remote_key, remote)
        return None

    async def _reconcile_mirror(self, remote_key: Key, remote: Object | None) -> None:
        mode = desired.mode_of(remote, self._view.link) if remote else None
        local_key = (remote_key[0], desired.mirror_name(remote_key[1], self._view.link))
        service = self._view.local.services.get(*local_key)
        if remote is None or mode is None:
            await self._pods.remove(service, local_key)
            if service is not None and desired.is_mark_of(service, self._view.link):
                await self._remove(service)
            self._board.note(remote_key, None)
            return
        if invalid := desired.why_invalid(remote):
            await self._skip(remote, Outcome("InvalidService", invalid))
            return
        try:
            await self._write(remote, mode, service)
        except NotOurs as error:
            await self._skip(remote, Outcome("Error", str(error)))
            return
        self._board.note(remote_key, Outcome("Mirrored", local=local_key[1]))

    async def _write(self, remote: Object, mode: desired.Mode, existing: Object | None) -> None:
        """Write the mirror and its Endpoints. Raises NotOurs."""
        hostnames = self._pods.hostnames(remote) if mode == "gateway" else ()
        wanted = desired.mirror_service(remote, self._view.link, mode)
        if hostnames:
            wanted = headless.service(remote, self._view.link)
        ours = existing is None or desired.is_mark_of(existing, self._view.link)
        if existing is not None and ours and headless.is_headless(existing) != bool(hostnames):
            await self._remove(existing)  # what a Service is in this respect cannot be changed
            existing = None
        if await self._writer.ensure(SERVICES, existing, wanted, is_ours=ours):
            link, place = self._view.link.name, namespace(wanted)
            log.info("mirrored", link=link, namespace=place, service=name(wanted), mode=mode)
        await self._pods.reconcile(remote, hostnames, existing)
        endpoints = self._view.local.endpoints.get(*key(wanted))
        if mode == "flat":
            await self._writer.remove(ENDPOINTS, endpoints)
        else:
            await self._writer.ensure(ENDPOINTS, endpoints, self._endpoints(remote, endpoints, hostnames))

    def _endpoints(self, remote: Object, existing: Object | None, hostnames: tuple[str, ...]) -> Object:
        if hostnames:
            return headless.endpoints(remote, self._view.link, self._pods.addresses(remote, hostnames))
        has_ready = desired.has_ready_address(self._view.remote_endpoints.get(*key(remote)))
        gateway = self._view.gateway_for(existing)
        return desired.mirror_endpoints(remote, self._view.link, gateway, has_ready=has_ready)

    async def _remove(self, service: Object) -> None:
        await self._writer.remove(SERVICES, service)
        await self._writer.remove(ENDPOINTS, self._view.local.endpoints.get(*key(service)))
        link, place = self._view.link.name, namespace(service)
        log.info("mirror removed", link=link, namespace=place, service=name(service))

    def _missing_namespace(self, remote_key: Key) -> str:
        local = self._view.local.namespaces.get("", remote_key[0])
        if local is None:
            return f"namespace {remote_key[0]} does not exist in this cluster"
        return f"namespace {remote_key[0]} is being deleted" if is_deleting(local) else ""

    async def _create_namespace(self, called: str) -> bool:
        """Make a missing namespace where the link may; returns whether it is there now."""
        if not self._view.profile.creates_namespaces or self._view.local.namespaces.get("", called):
            return False
        head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": called}}
        try:
            await self._view.clusters.local.create(NAMESPACES, head)
        except AlreadyExists:
            return True
        log.info("namespace created", link=self._view.link.name, namespace=called)
        return True

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
        local_key = (remote_key[0], desired.mirror_name(remote_key[1], self._view.link))
        service = self._view.local.services.get(*local_key)
        through = [key(pod) for pod in self._pods.of(service, local_key)] or [local_key]
        for where in through:
            endpoints = self._view.local.endpoints.get(*where)
            if endpoints is not None and self._view.gateway.alive is not None:
                flipped = desired.with_readiness(endpoints, alive=self._view.gateway.alive)
                await self._writer.ensure(ENDPOINTS, endpoints, flipped)
