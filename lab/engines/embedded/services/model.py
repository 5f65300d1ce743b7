"""Services and their endpoints as what must be reachable where. Pure.

One `ServicePort` per port, or two where the traffic policies make inside and outside differ; it names the
chain that will serve it. A port without ready endpoints has no backends and is refused; endpoints that are
ending serve while nothing else does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.kube import objects
from lab.kube.objects import Object

AFFINITY_SECONDS = 10800


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
    """One port of a Service; `node_port` 0 means none.

    `affinity` is for how many seconds a client stays with its backend; 0 = any backend at any time.
    """

    chain: str
    protocol: str
    frontends: frozenset[Frontend]
    node_port: int
    backends: tuple[Backend, ...]
    affinity: int = 0


def service_ports(service: Object, slices: Iterable[Object], node: str = "") -> tuple[ServicePort, ...]:
    """The ports of a Service with an address; `node` is this node's name, for policies that ask for it."""
    inside, outside = _addresses(service)
    if not inside:
        return ()
    known = list(slices)
    ports = [
        p for p in objects.spec(service).get("ports") or () if p.get("protocol", "TCP") in ("TCP", "UDP")
    ]
    return tuple(each for port in ports for each in _of_port(service, port, (inside, outside), (known, node)))


def _of_port(
    service: Object,
    port: dict[str, Any],
    addresses: tuple[list[str], list[str]],
    endpoints: tuple[list[Object], str],
) -> Iterator[ServicePort]:
    spec, (slices, node) = objects.spec(service), endpoints
    protocol, number = str(port.get("protocol", "TCP")), int(port["port"])
    chain = f"{objects.namespace(service)}/{objects.name(service)}/{protocol.lower()}-{number}"
    inside, outside = (frozenset(Frontend(a, protocol, number) for a in each) for each in addresses)

    def backends(policy: str) -> tuple[Backend, ...]:
        local = node if spec.get(policy) == "Local" else ""
        return tuple(sorted(_backends(slices, str(port.get("name") or ""), protocol, local)))

    affinity, node_port = _affinity(spec), int(port.get("nodePort") or 0)
    within, from_outside = backends("internalTrafficPolicy"), backends("externalTrafficPolicy")
    if within == from_outside or not (outside or node_port):
        yield ServicePort(chain, protocol, inside | outside, node_port, within, affinity)
        return
    yield ServicePort(chain, protocol, inside, 0, within, affinity)
    yield ServicePort(f"{chain}/outside", protocol, outside, node_port, from_outside, affinity)


def _affinity(spec: Mapping[str, Any]) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or AFFINITY_SECONDS)


def _addresses(service: Object) -> tuple[list[str], list[str]]:
    """The IPv4 addresses of a Service inside and outside its cluster; none if it has no ClusterIP."""
    spec = objects.spec(service)
    cluster_ip = str(spec.get("clusterIP") or "")
    if spec.get("type") == "ExternalName" or cluster_ip in ("", "None"):
        return [], []
    balancer = objects.status(service).get("loadBalancer") or {}
    ingress = [str(i["ip"]) for i in balancer.get("ingress") or () if i.get("ip")]
    outside = [*(spec.get("externalIPs") or ()), *ingress]
    return [a for a in [cluster_ip] if ":" not in a], [a for a in outside if ":" not in a]


def _backends(slices: list[Object], name: str, protocol: str, node: str) -> set[Backend]:
    """The ready endpoints of a port (on `node` only, if it is named); if there are none, those still serving
    while they end.
    """
    rows = [row for each in slices for row in _rows(each, name, protocol, node)]
    return {b for ready, _, b in rows if ready} or {b for _, serving, b in rows if serving}


def _rows(each: Object, name: str, protocol: str, node: str) -> Iterator[tuple[bool, bool, Backend]]:
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
        if node and endpoint.get("nodeName") != node:
            continue
        conditions = endpoint.get("conditions") or {}
        ready = conditions.get("ready") is not False
        serving = bool(conditions.get("serving")) and bool(conditions.get("terminating"))
        for address in endpoint.get("addresses") or ():
            for number in numbers:
                yield ready, serving, Backend(str(address), number)
