"""One link at work: follows the remote cluster and keeps its mirrors here as desired.py says.

Reconciles by remote (namespace, name). While the remote API is away, what stands stays; only the gateway's
verdict is still applied. main.py starts one watcher per Link spec and replaces it when the spec changes.
"""

import asyncio
from dataclasses import dataclass, field

from lab.base.log import get_logger
from lab.base.wait import pause
from lab.controlplane import events
from lab.controlplane.admin import Metrics
from lab.controlplane.mirror import desired, federated
from lab.controlplane.mirror.desired import Gateway
from lab.controlplane.mirror.gateway import resolve
from lab.controlplane.mirror.labels import MIRRORED_SERVICE
from lab.controlplane.mirror.link import Link
from lab.controlplane.mirror.probe import Profile, Worker
from lab.controlplane.mirror.status import Board, Outcome
from lab.controlplane.mirror.writer import NotOurs, Writer
from lab.kube.client import Client
from lab.kube.errors import ApiError
from lab.kube.informer import Informer, all_synced, run_all
from lab.kube.kinds import ENDPOINTS, LINKS, NAMESPACES, SERVICES
from lab.kube.objects import Key, Object, is_deleting, key, meta, name, namespace
from lab.kube.reconcile import Reconciler

log = get_logger(__name__)

REPAIR_PERIOD = 60.0


@dataclass(frozen=True)
class Clusters:
    """Clients of the source (here) and the target (remote) cluster."""

    local: Client
    remote: Client


@dataclass
class Local:
    """What this cluster has."""

    services: Informer
    endpoints: Informer
    namespaces: Informer
    links: Informer

    @classmethod
    def of(cls, client: Client, link: Link) -> "Local":
        mirrored = f"{MIRRORED_SERVICE}=true"
        return cls(
            Informer(client, SERVICES, labels=mirrored),
            Informer(client, ENDPOINTS, labels=mirrored),
            Informer(client, NAMESPACES),
            Informer(client, LINKS, link.namespace),
        )

    def all(self) -> tuple[Informer, ...]:
        return self.services, self.endpoints, self.namespaces, self.links


@dataclass
class Watcher:
    """All that runs for one Link spec; `run` until cancelled."""

    link: Link
    clusters: Clusters
    profile: Profile
    metrics: Metrics
    gateway: Gateway = field(default_factory=Gateway)

    def __post_init__(self) -> None:
        self.local = Local.of(self.clusters.local, self.link)
        self.remote_services = Informer(self.clusters.remote, SERVICES)
        self.remote_endpoints = Informer(self.clusters.remote, ENDPOINTS)
        self.writer = Writer(self.clusters.local)
        self.board = Board(self.clusters.local, self.link)
        self.queue: Reconciler[Key] = Reconciler(f"mirror-{self.link.name}", self.reconcile)
        if self.profile.restart_bug:
            self.gateway = Gateway(alive=True)

    async def run(self) -> None:
        self._subscribe()
        informers = (*self.local.all(), self.remote_services, self.remote_endpoints)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_all(*informers))
            group.create_task(self._reconcile_when_known())
            if self.profile.version != "2.14":
                group.create_task(self.board.run())
            has_gateway = bool(self.link.gateway_addresses)
            self.metrics.set("gateway_enabled", int(has_gateway), target_cluster_name=self.link.cluster)
            if has_gateway:
                group.create_task(self._repair_for_ever())
                group.create_task(self._probe())

    async def _reconcile_when_known(self) -> None:
        """Mirrors left over from before are keys too, so starting collects garbage."""
        await all_synced(*self.local.all())
        for mirror in self.local.services.list():
            self._enqueue_mirror(None, mirror)
        await self.queue.run()

    # What leads to which key ------------------------------------------------------------------

    def _subscribe(self) -> None:
        self.remote_services.subscribe(self._enqueue_remote)
        self.remote_endpoints.subscribe(self._enqueue_remote)
        self.local.services.subscribe(self._enqueue_mirror)
        self.local.endpoints.subscribe(self._enqueue_mirror)
        self.local.namespaces.subscribe(self._enqueue_namespace)

    def _enqueue_remote(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        remote = self.remote_services.items.get(key(obj))
        if self._concerns(remote) or self._concerns(old) or self._has_mirror(key(obj)):
            self.queue.enqueue(key(obj))

    def _enqueue_mirror(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        if desired.is_mark_of(obj, self.link) and (remote := desired.remote_name_of(obj, self.link)):
            self.queue.enqueue((namespace(obj), remote))
        for member in federated.members(obj):
            service, _, cluster = member.partition("@")
            if cluster == self.link.cluster:
                self.queue.enqueue((namespace(obj), service))

    def _enqueue_namespace(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and is_deleting(old) == is_deleting(new):
            return
        for remote in self.remote_services.list(name(new or old or {})):
            if self._concerns(remote):
                self.queue.enqueue(key(remote))

    def _enqueue_all(self) -> None:
        for remote in self.remote_services.list():
            if self._concerns(remote):
                self.queue.enqueue(key(remote))
        for mirror in self.local.services.list():
            self._enqueue_mirror(None, mirror)

    def _concerns(self, remote: Object | None) -> bool:
        return remote is not None and (
            desired.mode_of(remote, self.link) is not None or desired.is_member(remote, self.link)
        )

    def _has_mirror(self, remote: Key) -> bool:
        return (remote[0], desired.mirror_name(remote[1], self.link)) in self.local.services.items

    # Reconciling one remote Service -----------------------------------------------------------

    async def reconcile(self, remote_key: Key) -> float | None:
        """Bring mirror, endpoints and federated membership of one remote Service to what they must be."""
        if not (self.remote_services.synced.is_set() and self.remote_endpoints.synced.is_set()):
            await self._apply_verdict(remote_key)
            return 1.0
        remote = self.remote_services.get(*remote_key)
        if remote is not None and (is_deleting(remote) or not self._concerns(remote)):
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
        mode = desired.mode_of(remote, self.link) if remote else None
        local_key = (remote_key[0], desired.mirror_name(remote_key[1], self.link))
        service, endpoints = self.local.services.get(*local_key), self.local.endpoints.get(*local_key)
        if remote is None or mode is None:
            if service is not None and desired.is_mark_of(service, self.link):
                await self.writer.remove(SERVICES, service)
                await self.writer.remove(ENDPOINTS, endpoints)
                log.info("mirror removed", link=self.link.name, namespace=local_key[0], service=local_key[1])
            self.board.note(remote_key, None)
            return
        if invalid := desired.why_invalid(remote):
            await self._skip(remote, Outcome("InvalidService", invalid))
            return
        wanted = desired.mirror_service(remote, self.link, mode)
        try:
            ours = service is None or desired.is_mark_of(service, self.link)
            if await self.writer.ensure(SERVICES, service, wanted, is_ours=ours):
                log.info(
                    "mirrored", link=self.link.name, namespace=local_key[0], service=local_key[1], mode=mode
                )
        except NotOurs as error:
            await self._skip(remote, Outcome("Error", str(error)))
            return
        if mode == "gateway":
            await self.writer.ensure(ENDPOINTS, endpoints, self._endpoints(remote, endpoints))
        else:
            await self.writer.remove(ENDPOINTS, endpoints)
        self.board.note(remote_key, Outcome("Mirrored", local=local_key[1]))

    def _endpoints(self, remote: Object, existing: Object | None) -> Object:
        gateway = self.gateway
        if gateway.alive is None and desired.is_dead(existing):
            # No verdict yet after a start: what the predecessor found stays until there is one.
            gateway = Gateway(gateway.addresses, alive=False)
        has_ready = desired.has_ready_address(self.remote_endpoints.get(*key(remote)))
        return desired.mirror_endpoints(remote, self.link, gateway, has_ready=has_ready)

    async def _reconcile_federated(self, remote_key: Key, remote: Object | None) -> None:
        if self.profile.version == "2.14":
            return
        existing = self.local.services.get(remote_key[0], federated.federated_name(remote_key[1]))
        if remote is not None and desired.is_member(remote, self.link):
            wanted = federated.join(existing, remote, self.link, is_oldest=self._is_oldest(existing))
            ours = existing is None or federated.is_federated(existing)
            try:
                if await self.writer.ensure(SERVICES, existing, wanted, is_ours=ours):
                    log.info("federated", link=self.link.name, namespace=remote_key[0], service=name(wanted))
            except NotOurs as error:
                self.board.note(remote_key, Outcome("Error", str(error)), federated=True)
                return
            self.board.note(remote_key, Outcome("Mirrored", local=name(wanted)), federated=True)
            return
        self.board.note(remote_key, None, federated=True)
        if existing is not None and self.link.cluster in federated.clusters_of(existing):
            left = federated.leave(existing, self.link.cluster)
            if left is None:
                await self.writer.remove(SERVICES, existing)
            else:
                await self.writer.ensure(SERVICES, existing, left)

    def _is_oldest(self, existing: Object | None) -> bool:
        clusters = set(federated.clusters_of(existing)) | {self.link.cluster}
        ages = [
            (str(meta(link).get("creationTimestamp", "")), name(link))
            for link in self.local.links.list()
            if (link.get("spec") or {}).get("targetClusterName") in clusters
        ]
        return not ages or min(ages)[1] == self.link.name

    def _missing_namespace(self, remote_key: Key) -> str:
        local = self.local.namespaces.get("", remote_key[0])
        if local is None:
            return f"namespace {remote_key[0]} does not exist in this cluster"
        return f"namespace {remote_key[0]} is being deleted" if is_deleting(local) else ""

    async def _skip(self, remote: Object, outcome: Outcome) -> None:
        """Not mirrored: say so on the remote Service, once per reason."""
        if not self.board.note(key(remote), outcome):
            return
        log.warning("not mirrored", link=self.link.name, service=key(remote), reason=outcome.message)
        component = f"linkerd-service-mirror-{self.link.cluster}"
        message = f"Skipped mirroring service: {outcome.message}"
        about = events.event(remote, component, "ServiceMirroringSkipped", message, kind="Warning")
        await events.record(self.clusters.remote, about)

    # The gateway ------------------------------------------------------------------------------

    async def _apply_verdict(self, remote_key: Key) -> None:
        endpoints = self.local.endpoints.get(remote_key[0], desired.mirror_name(remote_key[1], self.link))
        if endpoints is not None and self.gateway.alive is not None:
            flipped = desired.with_readiness(endpoints, alive=self.gateway.alive)
            await self.writer.ensure(ENDPOINTS, endpoints, flipped)

    async def set_liveness(self, alive: bool) -> None:
        """The probe's verdict: every mirror through the gateway becomes ready or not ready."""
        self.gateway = Gateway(self.gateway.addresses, alive)
        self._enqueue_all()

    async def _repair_for_ever(self) -> None:
        await all_synced(*self.local.all())
        while True:
            known = self.gateway.addresses
            addresses = await resolve(self.link.gateway_addresses, known)
            self.gateway = Gateway(addresses, self.gateway.alive)
            self.metrics.add("service_mirror_endpoint_repairs", target_cluster_name=self.link.cluster)
            try:
                await self._ensure_probe_objects()
            except ApiError as error:
                log.warning("probe service not written", link=self.link.name, error=error)
            self._enqueue_all()
            await pause(REPAIR_PERIOD)

    async def _ensure_probe_objects(self) -> None:
        service = self.profile.probe_service(self.link)
        for kind, wanted in (
            (SERVICES, desired.probe_service(service, self.link)),
            (ENDPOINTS, desired.probe_endpoints(service, self.link, self.gateway)),
        ):
            await self.writer.ensure(kind, None, wanted)

    async def _probe(self) -> None:
        spec = self.profile.probe(self.link.probe)
        host = f"{self.profile.probe_service(self.link)}.{self.link.namespace}.svc.cluster.local"
        worker = Worker(
            url=f"http://{host}:{spec.port}{spec.path}",
            spec=spec,
            state=self.profile.first_liveness(),
            announce=self.set_liveness,
            metrics=self.metrics,
            cluster=self.link.cluster,
        )
        await worker.run()
