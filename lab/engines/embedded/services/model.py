"""Services and their endpoints as what must be reachable where. Pure.

One `ServicePort` per port that has endpoints; it names the chain that will serve it. A Service without
ready endpoints has none and is therefore refused; endpoints that are ending serve while nothing else does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.kube import objects
from lab.kube.objects import Object


@dataclass(frozen=True, order=True)
class Backend:
    """An endpoint."""

    address: str
    port: int


@dataclass(frozen=True, order=True)
class Frontend:
    """An address under which a Service port is reached."""

    address: str
    protocol: str
    port: int


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service; `node_port` 0 means none."""

    chain: str
    protocol: str
    frontends: frozenset[Frontend]
    node_port: int
    backends: tuple[Backend, ...]


def service_ports(service: Object, slices: Iterable[Object]) -> tuple[ServicePort, ...]:
    """The ports of a Service that have somewhere to go."""
    addresses = _addresses(service)
    if not addresses:
        return ()
    known = list(slices)
    found = (
        _service_port(service, port, addresses, known) for port in objects.spec(service).get("ports") or ()
    )
    return tuple(port for port in found if port.backends and port.protocol in ("TCP", "UDP"))


def _service_port(
    service: Object, port: dict[str, Any], addresses: list[str], slices: list[Object]
) -> ServicePort:
    protocol = str(port.get("protocol", "TCP"))
    name = str(port.get("name") or "")
    number = int(port["port"])
    return ServicePort(
        chain=f"{objects.namespace(service)}/{objects.name(service)}/{protocol.lower()}-{number}",
        protocol=protocol,
        frontends=frozenset(Frontend(address, protocol, number) for address in addresses),
        node_port=int(port.get("nodePort") or 0),
        backends=tuple(sorted(_backends(slices, name, protocol))),
    )


def _addresses(service: Object) -> list[str]:
    """Every IPv4 address that belongs to a Service; none for headless and external-name Services."""
    spec = objects.spec(service)
    cluster_ip = str(spec.get("clusterIP") or "")
    if spec.get("type") == "ExternalName" or cluster_ip in ("", "None"):
        return []
    balancer = objects.status(service).get("loadBalancer") or {}
    ingress = [str(i["ip"]) for i in balancer.get("ingress") or () if i.get("ip")]
    return [a for a in (cluster_ip, *(spec.get("externalIPs") or ()), *ingress) if ":" not in a]


def _backends(slices: list[Object], name: str, protocol: str) -> set[Backend]:
    """The ready endpoints of a port; if there are none, those still serving while they end."""
    rows = [row for each in slices for row in _rows(each, name, protocol)]
    return {b for ready, _, b in rows if ready} or {b for _, serving, b in rows if serving}


def _rows(each: Object, name: str, protocol: str) -> Iterator[tuple[bool, bool, Backend]]:
    if each.get("addressType", "IPv4") != "IPv4":
        return
    numbers = [
        int(port["port"])
        for port in each.get("ports") or ()
        if str(port.get("name") or "") == name
        and port.get("protocol", "TCP") == protocol
        and port.get("port")
    ]
    for endpoint in each.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        ready = conditions.get("ready") is not False
        serving = bool(conditions.get("serving")) and bool(conditions.get("terminating"))
        for address in endpoint.get("addresses") or ():
            for number in numbers:
                yield ready, serving, Backend(str(address), number)
