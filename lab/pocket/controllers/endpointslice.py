"""The controller of EndpointSlices and Endpoints: one reconcile per Service, at once on every change."""

from lab.kube.client import Client
from lab.kube.kinds import ENDPOINT_SLICES, ENDPOINTS
from lab.kube.objects import Key, Object, key, labels, name, namespace
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.endpoints import (
    ENDPOINTS_MANAGED,
    MANAGED_BY,
    MANAGER,
    SERVICE_LABEL,
    endpoints_object,
    selector,
    slices,
)
from lab.pocket.controllers.mirroring import MANAGER as MIRROR_MANAGER
from lab.pocket.controllers.mirroring import is_mirrored, mirrored
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import ensure, remove


class EndpointSliceController:
    """Keeps slices of a Service equal to its ready pods, or to its hand-written Endpoints."""

    def __init__(self, client: Client, watches: Watches, zone: str) -> None:
        self._client, self._watches, self._zone = client, watches, zone
        self._reconciler: Reconciler[Key] = Reconciler("endpointslice", self._reconcile)
        self._slices: dict[Key, dict[Key, Object]] = {}
        self._deleted: set[Key] = set()
        """Services that went away: their Endpoints go too. Those that never had one are left alone."""
        watches.endpoint_slices.subscribe(self._slice_changed)
        watches.services.subscribe(self._service_changed)
        watches.endpoints.subscribe(self._changed)
        watches.pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            self._deleted.add(key(old))
        self._changed(old, new)

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        service = (namespace(obj), labels(obj).get(SERVICE_LABEL, ""))
        known = self._slices.setdefault(service, {})
        if new is None:
            known.pop(key(obj), None)
        else:
            known[key(obj)] = new
        self._reconciler.enqueue(service)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        seen = [labels(p) for p in (old, new) if p]
        for service in self._watches.services.list(namespace(pod)):
            wanted = selector(service)
            if wanted is not None and any(wanted.matches(each) for each in seen):
                self._reconciler.enqueue(key(service))

    async def _reconcile(self, service_key: Key) -> None:
        service = self._watches.services.get(*service_key)
        endpoints = self._watches.endpoints.get(*service_key)
        if service is not None and selector(service) is not None:
            pods = self._watches.pods.list(service_key[0])
            current = self._current(service_key, MANAGER).values()
            await self._write(service_key, MANAGER, slices(service, pods, self._zone, current))
            await ensure(self._client, ENDPOINTS, endpoints_object(service, pods), endpoints)
            return
        if is_mirrored(service, endpoints) and endpoints is not None:
            await self._write(service_key, MIRROR_MANAGER, mirrored(endpoints))
        else:
            await self._write(service_key, MIRROR_MANAGER, [])
        if service is None:
            await self._write(service_key, MANAGER, [])
            if endpoints is not None and (service_key in self._deleted or _is_ours(endpoints)):
                await remove(self._client, ENDPOINTS, endpoints)
        self._deleted.discard(service_key)

    async def _write(self, service: Key, manager: str, desired: list[Object]) -> None:
        current = self._current(service, manager)
        for obj in desired:
            await ensure(self._client, ENDPOINT_SLICES, obj, current.pop(name(obj), None))
        for stale in current.values():
            await remove(self._client, ENDPOINT_SLICES, stale)

    def _current(self, service: Key, manager: str) -> dict[str, Object]:
        found = self._slices.get(service, {}).values()
        return {name(s): s for s in found if labels(s).get(MANAGED_BY) == manager}


def _is_ours(endpoints: Object) -> bool:
    return ENDPOINTS_MANAGED.items() <= labels(endpoints).items()
