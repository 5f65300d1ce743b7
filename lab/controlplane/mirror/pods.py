"""Keeps the mirrors of the single pods of headless Services, as headless.py says."""

from lab.controlplane.mirror import desired, headless
from lab.controlplane.mirror.view import View
from lab.controlplane.mirror.writer import Writer
from lab.kube.kinds import ENDPOINTS, SERVICES
from lab.kube.objects import Key, Object, key, name, namespace, spec


class PodMirrors:
    """The per-pod part of a Mirrors."""

    def __init__(self, view: View, writer: Writer) -> None:
        self._view, self._writer = view, writer

    def of(self, mirror: Object | None, local_key: Key) -> list[Object]:
        """The pods' mirrors that belong to a mirror; looked for only where there can be any."""
        if not self._view.profile.headless and not headless.is_headless(mirror or {}):
            return []
        mixed_up = "headless-mirrors-mixed-up" in self._view.profile.bugs
        found = self._view.local.services.list("" if mixed_up else local_key[0])
        return [
            service
            for service in found
            if headless.parent_of(service) == local_key[1] and desired.is_mark_of(service, self._view.link)
        ]

    async def collect(self) -> None:
        """Remove all whose own name, less the cluster's, is that of no remote Service. Linkerd up to 2.14
        does not look at which Service a pod's mirror belongs to: all are removed, and made anew.
        """
        link = self._view.link
        for service in self._view.local.services.list():
            original = name(service).removesuffix(f"-{link.cluster}")
            known = self._view.remote_services.get(namespace(service), original)
            if headless.parent_of(service) and desired.is_mark_of(service, link) and known is None:
                await self._writer.remove(SERVICES, service)

    def hostnames(self, remote: Object) -> tuple[str, ...]:
        """The pods that get a mirror each; none unless the link mirrors headless Services as such."""
        if not self._view.profile.headless or not headless.is_headless(remote):
            return ()
        return headless.hostnames(self._view.remote_endpoints.get(*key(remote)))

    def addresses(self, remote: Object, hostnames: tuple[str, ...]) -> dict[str, str]:
        """The mirrors that have an address yet; the arrival of the others is a change that is seen."""
        found: dict[str, str] = {}
        for hostname in hostnames:
            called = desired.mirror_name(hostname, self._view.link)
            mirror = self._view.local.services.get(namespace(remote), called)
            if mirror is not None and (address := spec(mirror).get("clusterIP")):
                found[hostname] = address
        return found

    async def reconcile(self, remote: Object, hostnames: tuple[str, ...], mirror: Object | None) -> None:
        """A mirror for each of `hostnames`, and no other. Raises NotOurs."""
        link = self._view.link
        for hostname in hostnames:
            wanted = headless.pod_service(remote, link, hostname)
            service = self._view.local.services.get(*key(wanted))
            ours = service is None or bool(headless.parent_of(service))
            await self._writer.ensure(SERVICES, service, wanted, is_ours=ours)
            endpoints = self._view.local.endpoints.get(*key(wanted))
            gateway = self._view.gateway_for(endpoints)
            made = headless.pod_endpoints(remote, link, gateway, hostname)
            await self._writer.ensure(ENDPOINTS, endpoints, made)
        local_key = (namespace(remote), desired.mirror_name(name(remote), link))
        await self.remove(mirror, local_key, kept=hostnames)

    async def remove(self, mirror: Object | None, local_key: Key, kept: tuple[str, ...] = ()) -> None:
        """Take the mirrors of a Service's pods away, but for those of `kept` host names."""
        names = {desired.mirror_name(hostname, self._view.link) for hostname in kept}
        for service in self.of(mirror, local_key):
            if name(service) not in names:
                await self._writer.remove(SERVICES, service)
                await self._writer.remove(ENDPOINTS, self._view.local.endpoints.get(*key(service)))
