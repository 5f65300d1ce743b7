"""Answers of the cluster's DNS, from Services and EndpointSlices.

Pure: a query in, records and a response code out. The rules are those of Kubernetes' DNS specification
1.1.0 (services, headless services, SRV, PTR, pod addresses, ExternalName, the version itself).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from lab.kube.objects import Object, name, namespace

VERSION = "1.1.0"
MAX_CHAIN = 8
Lister = Callable[[str, str], Iterable[Object]]


@dataclass(frozen=True)
class Record:
    """One answer; `data` is an address, a name, a text, or (priority, weight, port, target) for SRV."""

    name: str
    type: str
    data: Any


@dataclass(frozen=True)
class Answer:
    """`exists` tells NOERROR without records from NXDOMAIN; `ours` tells our zones from others."""

    records: tuple[Record, ...] = ()
    exists: bool = True
    ours: bool = True
    extra: tuple[Record, ...] = ()
    """Addresses of the targets, which spare the client a second question."""


@dataclass(frozen=True)
class Zone:
    """What DNS knows at one moment: lookups into the informers' memory."""

    domain: str
    service: Callable[[str, str], Object | None]
    slices: Lister
    """(namespace, service) -> its EndpointSlices."""
    has_namespace: Callable[[str], bool]
    owner: Callable[[str], Object | None]
    """An address -> the Service whose ClusterIP it is."""
    endpoints: Callable[[str], Iterable[tuple[Object, str]]] = field(default=lambda _: ())
    """An address -> the headless Services that tell it, each with the host label it has there."""


def answer(zone: Zone, query: str, kind: str, depth: int = 0) -> Answer:
    """Answer one question; names are compared without case."""
    wanted = query.lower().rstrip(".")
    if wanted.endswith(".in-addr.arpa"):
        return _reverse(zone, query, wanted, kind)
    if wanted == zone.domain:
        return Answer()
    if not wanted.endswith(f".{zone.domain}"):
        return Answer(exists=False, ours=False)
    labels = wanted.removesuffix(f".{zone.domain}").split(".")
    if labels[-1] == "svc":
        return _service(zone, query, labels[:-1], kind, depth)
    if labels[-1] == "pod":
        return _pod(zone, query, labels[:-1], kind)
    if labels == ["dns-version"]:
        return Answer((Record(query, "TXT", VERSION),) if kind in ("TXT", "ANY") else ())
    return Answer(exists=False)


def _service(zone: Zone, query: str, labels: list[str], kind: str, depth: int) -> Answer:
    if len(labels) < 2:
        return Answer(exists=not labels or zone.has_namespace(labels[0]))
    space, service_name = labels[-1], labels[-2]
    service = zone.service(space, service_name)
    if service is None:
        return Answer(exists=False)
    rest, spec = labels[:-2], service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return (
            _external(zone, query, str(spec.get("externalName", "")), kind, depth)
            if not rest
            else Answer(exists=False)
        )
    if len(rest) == 2 and all(part.startswith("_") for part in rest):
        return _srv(zone, query, service, (rest[0][1:], rest[1][1:]), kind)
    if _is_headless(service):
        return _headless(zone, query, service, rest, kind)
    if rest:
        return Answer(exists=False)
    return _addresses(query, [spec.get("clusterIP", "")], kind)


def _headless(zone: Zone, query: str, service: Object, rest: list[str], kind: str) -> Answer:
    """Without a ready endpoint there is no such name (2.4.1), which is not the same as an empty answer."""
    matching = [e.ip for e in told(service, _slices(zone, service)) if not rest or rest == [e.host]]
    return _addresses(query, dict.fromkeys(matching), kind) if matching else Answer(exists=False)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that may be told, under its host label, with the ports of its slice."""

    ip: str
    host: str
    ports: tuple[Mapping[str, Any], ...]


def told(service: Object, slices: Iterable[Object]) -> Iterator[Endpoint]:
    """The endpoints of a headless Service: the ready ones, or all if it publishes those too."""
    unready = bool((service.get("spec") or {}).get("publishNotReadyAddresses"))
    for entry in slices:
        for endpoint in entry.get("endpoints") or ():
            if not unready and (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for ip in endpoint.get("addresses") or ():
                host = str(endpoint.get("hostname") or ip.replace(".", "-")).lower()
                yield Endpoint(ip, host, tuple(entry.get("ports") or ()))


def _slices(zone: Zone, service: Object) -> Iterable[Object]:
    return zone.slices(namespace(service), name(service))


def _srv(zone: Zone, query: str, service: Object, wanted: tuple[str, str], kind: str) -> Answer:
    base, spec = _full(zone, service), service.get("spec") or {}
    found: list[tuple[int, str, str]] = []
    if _is_headless(service):
        for e in sorted(told(service, _slices(zone, service)), key=lambda e: e.host):
            found += [(port["port"], f"{e.host}.{base}", e.ip) for port in _ports(e.ports, wanted)]
    else:
        found = [(port["port"], base, spec["clusterIP"]) for port in _ports(spec.get("ports"), wanted)]
    if not found:
        return Answer(exists=False)
    if kind not in ("SRV", "ANY"):
        return Answer()
    records = (Record(query, "SRV", (0, 100, port, target)) for port, target, _ in found)
    addresses = (Record(target, "A", ip) for _, target, ip in found)
    return Answer(tuple(dict.fromkeys(records)), extra=tuple(dict.fromkeys(addresses)))


def _ports(ports: Any, wanted: tuple[str, str]) -> list[Mapping[str, Any]]:
    return [p for p in ports or () if (p.get("name"), str(p.get("protocol") or "TCP").lower()) == wanted]


def _external(zone: Zone, query: str, target: str, kind: str, depth: int) -> Answer:
    """The alias, and where it leads; what an alias inside the cluster leads to may not be there."""
    alias = Record(query, "CNAME", target)
    if kind == "CNAME" or depth >= MAX_CHAIN:
        return Answer((alias,))
    goal = answer(zone, target, kind, depth + 1)
    return Answer((alias, *goal.records), exists=goal.exists or not goal.ours)


def _pod(zone: Zone, query: str, labels: list[str], kind: str) -> Answer:
    if len(labels) < 2:
        return Answer(exists=not labels or zone.has_namespace(labels[0]))
    if len(labels) > 2 or not zone.has_namespace(labels[1]):
        return Answer(exists=False)
    try:
        address = IPv4Address(labels[0].replace("-", "."))
    except AddressValueError:
        return Answer(exists=False)
    return _addresses(query, [str(address)], kind)


def _reverse(zone: Zone, query: str, wanted: str, kind: str) -> Answer:
    ip = ".".join(reversed(wanted.removesuffix(".in-addr.arpa").split(".")))
    targets = [f"{host}.{_full(zone, service)}" for service, host in zone.endpoints(ip)]
    if service := zone.owner(ip):
        targets.append(_full(zone, service))
    if not targets:
        return Answer(exists=False, ours=False)
    records = tuple(Record(query, "PTR", target) for target in targets)
    return Answer(records if kind in ("PTR", "ANY") else ())


def _full(zone: Zone, service: Object) -> str:
    return f"{name(service)}.{namespace(service)}.svc.{zone.domain}"


def _addresses(query: str, ips: Iterable[str], kind: str) -> Answer:
    if kind not in ("A", "ANY"):
        return Answer()
    return Answer(tuple(Record(query, "A", ip) for ip in ips if ip and ":" not in ip))


def _is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"
