"""Answers of the cluster's DNS, from Services and EndpointSlices.

Pure: a query in, records and a response code out. The rules are those of Kubernetes' DNS specification
(services, headless services, SRV, PTR, pod addresses, ExternalName).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from lab.kube.objects import Object, name, namespace

MAX_CHAIN = 8
Lister = Callable[[str, str], Iterable[Object]]


@dataclass(frozen=True)
class Record:
    """One answer; `data` is an address, a name, or (priority, weight, port, target) for SRV."""

    name: str
    type: str
    data: Any


@dataclass(frozen=True)
class Answer:
    """`exists` tells NOERROR without records from NXDOMAIN; `ours` tells our zones from others."""

    records: tuple[Record, ...] = ()
    exists: bool = True
    ours: bool = True


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
    endpoint: Callable[[str], tuple[Object, str] | None] = field(default=lambda _: None)
    """An address -> the headless Service with a hostname for it."""


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
    return Answer(exists=labels == ["dns-version"])


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
    found = list(_endpoints(zone, service))
    if not rest:
        return _addresses(query, [ip for ip, _ in found], kind)
    if len(rest) > 1:
        return Answer(exists=False)
    matching = [ip for ip, host in found if rest[0] == host]
    return _addresses(query, matching, kind) if matching else Answer(exists=False)


def _endpoints(zone: Zone, service: Object) -> Iterator[tuple[str, str]]:
    """(address, host label) of each endpoint that may be told."""
    unready = bool((service.get("spec") or {}).get("publishNotReadyAddresses"))
    seen = set()
    for entry in zone.slices(namespace(service), name(service)):
        for endpoint in entry.get("endpoints") or ():
            if not unready and (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for ip in endpoint.get("addresses") or ():
                if ip not in seen:
                    seen.add(ip)
                    yield ip, str(endpoint.get("hostname") or ip.replace(".", "-"))


def _srv(zone: Zone, query: str, service: Object, wanted: tuple[str, str], kind: str) -> Answer:
    base = f"{name(service)}.{namespace(service)}.svc.{zone.domain}"
    records: list[Record] = []
    if _is_headless(service):
        hosts = sorted(_endpoints(zone, service))
        for entry in zone.slices(namespace(service), name(service)):
            for port in _ports(entry.get("ports"), wanted):
                records += [
                    Record(query, "SRV", (0, 100, port["port"], f"{host}.{base}")) for _, host in hosts
                ]
    else:
        ports = _ports((service.get("spec") or {}).get("ports"), wanted)
        records = [Record(query, "SRV", (0, 100, port["port"], base)) for port in ports]
    unique = tuple(dict.fromkeys(records))
    if not unique:
        return Answer(exists=False)
    return Answer(unique if kind in ("SRV", "ANY") else ())


def _ports(ports: Any, wanted: tuple[str, str]) -> list[dict[str, Any]]:
    return [p for p in ports or () if (p.get("name"), str(p.get("protocol") or "TCP").lower()) == wanted]


def _external(zone: Zone, query: str, target: str, kind: str, depth: int) -> Answer:
    alias = Record(query, "CNAME", target)
    if kind == "CNAME" or depth >= MAX_CHAIN:
        return Answer((alias,))
    return Answer((alias, *answer(zone, target, kind, depth + 1).records))


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
    target = ""
    if service := zone.owner(ip):
        target = f"{name(service)}.{namespace(service)}.svc.{zone.domain}"
    elif found := zone.endpoint(ip):
        target = f"{found[1]}.{name(found[0])}.{namespace(found[0])}.svc.{zone.domain}"
    if not target:
        return Answer(exists=False, ours=False)
    return Answer((Record(query, "PTR", target),) if kind in ("PTR", "ANY") else ())


def _addresses(query: str, ips: Iterable[str], kind: str) -> Answer:
    if kind not in ("A", "ANY"):
        return Answer()
    return Answer(tuple(Record(query, "A", ip) for ip in ips if ip and ":" not in ip))


def _is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"
