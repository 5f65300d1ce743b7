"""The service proxy of a node: follows Services and EndpointSlices and keeps the kernel's rules in step.

Changes that arrive together are committed together, each Service whole or not at all. Runs in the node's
network namespace; a refused commit ends it (and with it the node process, which starts afresh).
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping

from lab.base.log import get_logger
from lab.engines.embedded.nft.transaction import Nft
from lab.engines.embedded.services import rules
from lab.engines.embedded.services.flows import forget_flows
from lab.engines.embedded.services.model import Backend, ServicePort, service_ports
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced
from lab.kube.kinds import ENDPOINT_SLICES, SERVICES
from lab.kube.objects import Key, Object

SERVICE_NAME = "kubernetes.io/service-name"
SERVICES_PER_COMMIT = 50
log = get_logger(__name__)


class ServiceProxy:
    """kube-proxy's part for one node."""

    def __init__(self, services: Informer, slices: Informer, service_cidr: str, node: str = "") -> None:
        self._services = services
        self._slices = slices
        self._service_cidr, self._node = service_cidr, node
        self._slices_of: dict[Key, dict[Key, Object]] = defaultdict(dict)
        self._programmed: dict[Key, dict[str, ServicePort]] = {}
        self._hairpins: Counter[str] = Counter()
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()

    @classmethod
    def of(cls, client: Client, service_cidr: str, node: str) -> "ServiceProxy":
        """A proxy with watches of its own; `run` runs them."""
        return cls(Informer(client, SERVICES), Informer(client, ENDPOINT_SLICES), service_cidr, node)

    async def run(self) -> None:
        """Follow and program until cancelled."""
        self._services.subscribe(self._service_changed)
        self._slices.subscribe(self._slice_changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.run(), name="services")
            group.create_task(self._slices.run(), name="endpoint slices")
            group.create_task(self._program(), name="rules")

    async def _program(self) -> None:
        await all_synced(self._services, self._slices)
        nft = Nft()
        nft.commit(rules.base(self._service_cidr))
        log.info("service proxy ready", services=len(self._services.items))
        while True:
            await self._wake.wait()
            self._wake.clear()
            await forget_flows(self.sync(nft))

    def sync(self, nft: Nft) -> set[Backend]:
        """Commit what has changed since the last time; returns the UDP backends that are no more."""
        dirty, self._dirty = sorted(self._dirty), set()
        gone: set[Backend] = set()
        for start in range(0, len(dirty), SERVICES_PER_COMMIT):
            keys = dirty[start : start + SERVICES_PER_COMMIT]
            wanted = {key: self._wanted(key) for key in keys}
            old = {chain: p for key in keys for chain, p in self._programmed.get(key, {}).items()}
            new = {chain: p for ports in wanted.values() for chain, p in ports.items()}
            gone |= _datagram_backends(old) - _datagram_backends(new)
            if old != new:
                nft.commit(rules.update(old, new, self._hairpins))
            self._programmed.update(wanted)
            for key in [k for k, ports in wanted.items() if not ports]:
                del self._programmed[key]
        return gone

    def _wanted(self, key: Key) -> dict[str, ServicePort]:
        service = self._services.items.get(key)
        if service is None:
            return {}
        return {port.chain: port for port in self._ports(service, key)}

    def _ports(self, service: Object, key: Key) -> tuple[ServicePort, ...]:
        return service_ports(service, self._slices_of[key].values(), self._node)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        if found := new or old:
            self._mark(objects.key(found))

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None:
            owner = _owner(old)
            self._slices_of[owner].pop(objects.key(old), None)
            self._mark(owner)
        if new is not None:
            owner = _owner(new)
            self._slices_of[owner][objects.key(new)] = new
            self._mark(owner)

    def _mark(self, service: Key) -> None:
        self._dirty.add(service)
        self._wake.set()


def _datagram_backends(ports: Mapping[str, ServicePort]) -> set[Backend]:
    return {backend for port in ports.values() if port.protocol == "UDP" for backend in port.backends}


def _owner(each: Object) -> Key:
    """The Service a slice belongs to."""
    return objects.namespace(each), objects.labels(each).get(SERVICE_NAME, "")
