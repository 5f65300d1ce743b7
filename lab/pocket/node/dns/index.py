"""Keeps what the zone looks up by other keys than name: slices by Service, Services by address."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from lab.kube.informer import Informer
from lab.kube.objects import Key, Object, key, labels, namespace
from lab.pocket.node.dns.zone import Zone, told

SERVICE_LABEL = "kubernetes.io/service-name"


class Index:
    """Follows Services, EndpointSlices and Namespaces."""

    def __init__(self, services: Informer, slices: Informer, namespaces: Informer) -> None:
        self._services, self._namespaces = services, namespaces
        self._slices: dict[Key, dict[Key, Object]] = defaultdict(dict)
        self._addresses: dict[str, Key] = {}
        services.subscribe(self._service_changed)
        slices.subscribe(self._slice_changed)

    def zone(self, domain: str) -> Zone:
        return Zone(
            domain, self._services.get, self._slices_of, self._has_namespace, self._owner, self._endpoints
        )

    def _slices_of(self, space: str, service: str) -> Iterable[Object]:
        return self._slices.get((space, service), {}).values()

    def _has_namespace(self, space: str) -> bool:
        return self._namespaces.get("", space) is not None

    def _owner(self, ip: str) -> Object | None:
        found = self._addresses.get(ip)
        return self._services.get(*found) if found else None

    def _endpoints(self, ip: str) -> Iterator[tuple[Object, str]]:
        """Only headless Services name their endpoints; a search is fine, reverse queries are rare."""
        for service_key, slices in self._slices.items():
            service = self._services.get(*service_key)
            if service is not None and (service.get("spec") or {}).get("clusterIP") == "None":
                hosts = {e.host for e in told(service, slices.values()) if e.ip == ip}
                yield from ((service, host) for host in sorted(hosts))

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        for ip in _cluster_ips(old):
            self._addresses.pop(ip, None)
        for ip in _cluster_ips(new):
            self._addresses[ip] = key(new or {})

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for obj in filter(None, (old, new)):
            service = (namespace(obj), labels(obj).get(SERVICE_LABEL, ""))
            if obj is new:
                self._slices[service][key(obj)] = obj
            else:
                self._slices[service].pop(key(obj), None)


def _cluster_ips(service: Object | None) -> list[str]:
    ip = ((service or {}).get("spec") or {}).get("clusterIP")
    return [ip] if ip and ip != "None" else []
