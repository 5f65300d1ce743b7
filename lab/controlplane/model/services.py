"""What a Service's fields and annotations say about its ports: protocol, kind of mirror, circuit breaking.
Pure.
"""

import re
from dataclasses import dataclass, replace

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Accrual, PortRef, Protocol
from lab.controlplane.model.world import LOCAL, merged_annotations
from lab.kube.objects import Object, annotations, labels, spec

DEFAULT_OPAQUE = "25,587,3306,4444,5432,6379,9300,11211"
OPAQUE_PORTS = "config.linkerd.io/opaque-ports"
EXPORTED = "mirror.linkerd.io/exported"
MIRRORED = "mirror.linkerd.io/mirrored-service"
MIRRORED_GATEWAY = "mirror.linkerd.io/mirrored-gateway"
REMOTE_DISCOVERY = "multicluster.linkerd.io/remote-discovery"
REMOTE_SERVICE = "multicluster.linkerd.io/remote-service"
LOCAL_DISCOVERY = "multicluster.linkerd.io/local-discovery"
FQ_NAME = "mirror.linkerd.io/remote-svc-fq-name"
GATEWAY_IDENTITY = "mirror.linkerd.io/remote-gateway-identity"
_ACCRUAL = "balancer.linkerd.io/failure-accrual"
_HTTP_HINTS = frozenset({"http", "http2", "grpc", "kubernetes.io/h2c", "kubernetes.io/ws"})
_OPAQUE_HINTS = frozenset({"linkerd.io/opaque", "linkerd.io/tcp", "tcp"})
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class ServicePort:
    number: int
    name: str
    target: str
    protocol: Protocol


def service_of(reader: Reader, namespace: str, name: str, cluster: str = LOCAL) -> Object | None:
    found: Object | None = reader.cell("service", cluster, namespace, name)
    return found


def ports_of(service: Object, namespace_object: Object | None = None) -> tuple[ServicePort, ...]:
    """The TCP ports of a Service with the protocol to expect on each."""
    opaque = port_ranges(merged_annotations(service, namespace_object).get(OPAQUE_PORTS, DEFAULT_OPAQUE))
    found = []
    for port in spec(service).get("ports") or []:
        if port.get("protocol", "TCP") == "TCP":
            number = int(port["port"])
            protocol = protocol_of(port.get("appProtocol"), covers(opaque, number))
            target = str(port.get("targetPort") or number)
            found.append(ServicePort(number, str(port.get("name") or ""), target, protocol))
    return tuple(found)


def port_of(service: Object, number: int) -> ServicePort | None:
    return next((port for port in ports_of(service) if port.number == number), None)


def protocol_of(hint: str | None, opaque: bool) -> Protocol:
    """The protocol of a port from its appProtocol and the opaque list; opaque wins."""
    if opaque or hint in _OPAQUE_HINTS:
        return "opaque"
    return "http" if hint in _HTTP_HINTS else "detect"


def address_of(service: Object) -> str:
    """The ClusterIP, or "" when a Service has none to match by (headless, ExternalName)."""
    address = str(spec(service).get("clusterIP") or "")
    return "" if address == "None" or spec(service).get("type") == "ExternalName" else address


def is_gateway_mirror(service: Object) -> bool:
    """Whether the Service's endpoints are another cluster's gateway."""
    marks = labels(service)
    mirror = marks.get(MIRRORED) == "true" and FQ_NAME in annotations(service)
    return mirror and REMOTE_DISCOVERY not in marks and REMOTE_DISCOVERY not in annotations(service)


def accrual_of(service: Object) -> Accrual | None:
    """The breaker that the Service's annotations ask for."""
    notes = annotations(service)
    if notes.get(_ACCRUAL) not in ("consecutive", "unified"):
        return None
    failures = notes.get(f"{_ACCRUAL}-consecutive-max-failures", "7")
    jitter = notes.get(f"{_ACCRUAL}-consecutive-jitter-ratio", "")
    least = seconds(notes.get(f"{_ACCRUAL}-consecutive-min-penalty", ""), 1.0)
    most = seconds(notes.get(f"{_ACCRUAL}-consecutive-max-penalty", ""), 60.0)
    return Accrual(
        max_failures=max(int(failures), 1) if failures.isdigit() else 7,
        min_penalty=least,
        max_penalty=max(least, most),
        jitter=float(jitter) if re.fullmatch(r"\d+(\.\d+)?", jitter) else 0.5,
    )


def hosts_of(reader: Reader, ref: PortRef) -> tuple[PortRef, ...]:
    """The port at each pod with a host name, where a gateway serves them singly: exported and headless."""
    service = service_of(reader, ref.namespace, ref.service) or {}
    if labels(service).get(EXPORTED) != "true" or spec(service).get("clusterIP") != "None":
        return ()
    slices = reader.cell("slices", LOCAL, ref.namespace, ref.service) or ()
    names = {str(e["hostname"]) for s in slices for e in s.get("endpoints") or [] if e.get("hostname")}
    return tuple(replace(ref, pod=hostname) for hostname in sorted(names))


def authority_of(ref: PortRef, domain: str = "cluster.local") -> str:
    """The name under which a gateway serves a Service port, or one pod's."""
    pod = f"{ref.pod}." if ref.pod else ""
    return f"{pod}{ref.service}.{ref.namespace}.svc.{domain}:{ref.port}"


def seconds(text: str, default: float = 0.0) -> float:
    """A duration as the Gateway API and Linkerd write it (`1h2m3s`, `500ms`), in seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
        return default
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def port_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Ports and ranges (`25,8000-8010`) as pairs; what is no number is left out."""
    found = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdigit() and (not high or high.isdigit()):
            found.append((int(low), int(high or low)))
    return tuple(found)


def covers(ranges: tuple[tuple[int, int], ...], port: int) -> bool:
    return any(low <= port <= high for low, high in ranges)
