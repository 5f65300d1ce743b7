"""What a sidecar or gateway must know of its own pod: ports, policies, probes, identity. Pure."""

from lab.controlplane.faults import cut_by, faults_on
from lab.controlplane.identity.names import TRUST_DOMAIN, workload_name
from lab.controlplane.inject.settings import INBOUND_PORT
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Exported, Gateway, Inbound, InboundPort, PortRef, Protocol
from lab.controlplane.model.services import (
    DEFAULT_OPAQUE,
    EXPORTED,
    OPAQUE_PORTS,
    authority_of,
    covers,
    hosts_of,
    port_ranges,
    ports_of,
    service_of,
)
from lab.controlplane.model.tables import upstream
from lab.controlplane.model.world import LOCAL, merged_annotations
from lab.controlplane.policy.faults import http_fault
from lab.controlplane.policy.inbound import default_policy, port_policies
from lab.kube.objects import Object, labels, name, namespace, spec

_TCP_PROTOCOLS = frozenset({"opaque", "TLS"})
_HTTP_PROTOCOLS = frozenset({"HTTP/1", "HTTP/2", "gRPC"})


def identity_of(reader: Reader, pod: Object) -> str:
    """The identity in the certificate of a pod of the local cluster."""
    settings = reader.cell("cluster", LOCAL) or {}
    account = spec(pod).get("serviceAccountName") or "default"
    return workload_name(account, namespace(pod), settings.get("trust_domain", TRUST_DOMAIN))


def own_identity(reader: Reader, namespace_: str, name_: str) -> str:
    """The identity that a pod of this name must prove; "" while it is not known."""
    pod: Object | None = reader.cell("pod", LOCAL, namespace_, name_)
    return identity_of(reader, pod) if pod else ""


def inbound(reader: Reader, namespace_: str, name_: str) -> Inbound | None:
    """The inbound side of a pod; None while the pod is not known (yet)."""
    pod: Object | None = reader.cell("pod", LOCAL, namespace_, name_)
    if pod is None:
        return None
    notes = merged_annotations(pod, reader.cell("namespace", namespace_))
    opaque = port_ranges(notes.get(OPAQUE_PORTS, DEFAULT_OPAQUE))
    found = []
    for port, stated in port_policies(reader, pod).items():
        protocol: Protocol = "opaque" if covers(opaque, port) else "detect"
        if stated.protocol in _TCP_PROTOCOLS:
            protocol = "opaque"
        elif stated.protocol in _HTTP_PROTOCOLS:
            protocol = "http"
        found.append(InboundPort(port, protocol, stated.policy, stated.routes))
    known = {port.port for port in found}
    other = default_policy(reader, pod)
    found += [
        InboundPort(p, "opaque", other)
        for low, high in opaque
        for p in range(low, high + 1)
        if p not in known
    ]
    ports = tuple(sorted(found, key=lambda port: port.port))
    rest = InboundPort(0, "detect", other)
    return Inbound(
        identity_of(reader, pod), ports, rest, http_fault(reader, pod), cut(reader, namespace_, name_)
    )


def cut(reader: Reader, namespace_: str, name_: str = "") -> str:
    """Changes when connections to a pod, or those of all pods of a namespace, are to be made anew."""
    faults = reader.cell("policy", namespace_) or ()
    pod: Object | None = reader.cell("pod", LOCAL, namespace_, name_)
    return cut_by(faults_on(pod, faults, "CertificateFault") if pod else faults)


def gateway(reader: Reader, namespace_: str, name_: str) -> Gateway | None:
    """What a gateway pod serves: the exported Services of its cluster, to whom its own port is open."""
    pod: Object | None = reader.cell("pod", LOCAL, namespace_, name_)
    if pod is None:
        return None
    served = [e for ns, svc in reader.cell("services", LOCAL) or () for e in reader.get(exported, ns, svc)]
    stated = port_policies(reader, pod).get(INBOUND_PORT)
    policy = stated.policy if stated else default_policy(reader, pod)
    return Gateway(identity_of(reader, pod), policy, tuple(served))


def exported(reader: Reader, namespace_: str, name_: str) -> tuple[Exported, ...]:
    """The ports of a Service as the gateway serves them; its own routes apply there too."""
    service = service_of(reader, namespace_, name_)
    if service is None or labels(service).get(EXPORTED) != "true":
        return ()
    found = []
    for port in ports_of(service, reader.cell("namespace", namespace_)):
        whole = PortRef(namespace(service), name(service), port.number)
        for ref in (whole, *hosts_of(reader, whole)):
            table = upstream(reader, ref, port).table
            tcp = "" if port.protocol == "http" else f"outbound-tcp/{ref}"
            found.append(Exported(ref, authority_of(ref), table, tcp))
    return tuple(found)
