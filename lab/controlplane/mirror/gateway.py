"""The remote gateway as one link knows it: its addresses, resolved again each minute, and its probe."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable

from lab.base.log import get_logger
from lab.base.wait import pause
from lab.controlplane.admin import Metrics
from lab.controlplane.identity.names import CLUSTER_DOMAIN
from lab.controlplane.mirror import desired
from lab.controlplane.mirror.desired import Gateway
from lab.controlplane.mirror.probe import Worker
from lab.controlplane.mirror.view import View
from lab.controlplane.mirror.writer import Writer
from lab.kube.errors import AlreadyExists, ApiError
from lab.kube.informer import all_synced
from lab.kube.kinds import ENDPOINTS, SERVICES

log = get_logger(__name__)

REPAIR_PERIOD = 60.0


class GatewayWatch:
    """Keeps `view.gateway` true and says when it changed."""

    def __init__(self, view: View, writer: Writer, metrics: Metrics, changed: Callable[[], None]) -> None:
        self._view, self._writer, self._metrics, self._changed = view, writer, metrics, changed

    async def set_liveness(self, alive: bool) -> None:
        """The probe's verdict: every mirror through the gateway becomes ready or not ready."""
        self._view.gateway = Gateway(self._view.gateway.addresses, alive)
        self._changed()

    async def repair(self) -> None:
        """Resolve names again and write everything anew, once a minute."""
        await all_synced(*self._view.local.all())
        while True:
            known = self._view.gateway.addresses
            addresses = await resolve(self._view.link.gateway_addresses, known)
            self._view.gateway = Gateway(addresses, self._view.gateway.alive)
            cluster = self._view.link.cluster
            self._metrics.add("service_mirror_endpoint_repairs", target_cluster_name=cluster)
            try:
                await self._ensure_probe_objects()
            except ApiError as error:
                log.warning("probe service not written", link=self._view.link.name, error=error)
            self._changed()
            await pause(REPAIR_PERIOD)

    async def _ensure_probe_objects(self) -> None:
        """The Service is only made: Linkerd's belongs to its chart, and may listen at another port."""
        link, called = self._view.link, self._view.profile.probe_service(self._view.link)
        with contextlib.suppress(AlreadyExists):
            await self._view.clusters.local.create(SERVICES, desired.probe_service(called, link))
        await self._writer.ensure(ENDPOINTS, None, desired.probe_endpoints(called, link, self._view.gateway))

    async def probe(self) -> None:
        """Probe for ever."""
        link, profile = self._view.link, self._view.profile
        spec = profile.probe(link.probe)
        host = f"{profile.probe_service(link)}.{link.namespace}.svc.{CLUSTER_DOMAIN}"
        worker = Worker(
            url=f"http://{host}:{spec.port}{spec.path}",
            spec=spec,
            state=profile.first_liveness(),
            announce=self.set_liveness,
            metrics=self._metrics,
            cluster=link.cluster,
            eager="restart-vs-live-gateway" not in profile.bugs,
        )
        await worker.run()


async def resolve(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """All IPv4 addresses, sorted; `known` if none of the names resolves now."""
    loop = asyncio.get_running_loop()
    found: set[str] = set()
    for name in names:
        if _is_address(name):
            found.add(name)
            continue
        try:
            answers = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
            found.update(str(answer[4][0]) for answer in answers)
        except OSError as error:
            log.warning("gateway name does not resolve", name=name, error=error)
    return tuple(sorted(found)) or known


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
