"""The ready endpoints behind a Service port, wherever they are: local pods, remote pods, a gateway, or a
union. Pure.

Remote endpoints are whatever the remote cluster's objects said last: losing its API changes nothing here.
"""

from collections.abc import Iterator

from lab.controlplane.identity.names import TRUST_DOMAIN, workload_name
from lab.controlplane.inject.settings import INIT_CONTAINER, PROXY_CONTAINER
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Endpoint, Locality, Pool, PoolSource, PortRef
from lab.controlplane.model.services import (
    FQ_NAME,
    GATEWAY_IDENTITY,
    LOCAL_DISCOVERY,
    MIRRORED_GATEWAY,
    REMOTE_DISCOVERY,
    REMOTE_SERVICE,
    covers,
    is_gateway_mirror,
    port_of,
    port_ranges,
    service_of,
)
from lab.controlplane.model.world import LOCAL
from lab.kube.objects import Object, annotations, labels, spec

MESHED = "linkerd.io/control-plane-ns"
SKIP_INBOUND = "config.linkerd.io/skip-inbound-ports"


def pool_of(reader: Reader, source: PoolSource) -> Pool:
    """One locality per backend: an empty one is passed over, the others share by weight."""
    found = [Locality(str(ref), weight, reader.get(endpoints, ref)) for ref, weight in source.backends]
    return Pool(source.name, tuple(found))


def endpoints(reader: Reader, ref: PortRef) -> tuple[Endpoint, ...]:
    """The ready endpoints of a Service port, sorted."""
    service = service_of(reader, ref.namespace, ref.service)
    if service is None:
        return ()
    found: set[Endpoint] = set()
    if remote := labels(service).get(REMOTE_DISCOVERY):
        found |= _in_cluster(
            reader, PortRef(ref.namespace, labels(service).get(REMOTE_SERVICE, ""), ref.port), remote
        )
    elif REMOTE_DISCOVERY in annotations(service) or LOCAL_DISCOVERY in annotations(service):
        found |= _federated(reader, service, ref)
    elif is_gateway_mirror(service) or labels(service).get(MIRRORED_GATEWAY) == "true":
        found |= _through_gateway(reader, service, ref)
    else:
        found |= _in_cluster(reader, ref, LOCAL)
    return tuple(sorted(found))


def _federated(reader: Reader, service: Object, ref: PortRef) -> set[Endpoint]:
    notes = annotations(service)
    found: set[Endpoint] = set()
    if local := notes.get(LOCAL_DISCOVERY):
        found |= _in_cluster(reader, PortRef(ref.namespace, local, ref.port), LOCAL)
    for member in filter(None, notes.get(REMOTE_DISCOVERY, "").split(",")):
        name, _, cluster = member.strip().partition("@")
        found |= _in_cluster(reader, PortRef(ref.namespace, name, ref.port), cluster)
    return found


def _in_cluster(reader: Reader, ref: PortRef, cluster: str) -> set[Endpoint]:
    service = service_of(reader, ref.namespace, ref.service, cluster)
    port = port_of(service, ref.port) if service else None
    if service is None or port is None:
        return set()
    if not reader.cell("slices", cluster, ref.namespace, ref.service):
        return _from_endpoints(reader, ref, port.name, cluster)
    listed = _from_slices(reader, ref, port.name, cluster)
    return {endpoint for source, endpoint in listed if _counts(source, ref.pod)}


def meshed_pods(reader: Reader, ref: PortRef) -> tuple[Endpoint, ...]:
    """The meshed pods behind a port of a headless Service of this cluster, ready or not."""
    service = service_of(reader, ref.namespace, ref.service) or {}
    port = port_of(service, ref.port)
    if spec(service).get("clusterIP") != "None" or port is None:
        return ()
    found = {endpoint for _, endpoint in _from_slices(reader, ref, port.name, LOCAL) if endpoint.identity}
    return tuple(sorted(found))


def _from_slices(
    reader: Reader, ref: PortRef, port_name: str, cluster: str
) -> Iterator[tuple[Object, Endpoint]]:
    """Every address of a Service port with the slice's entry that it is from."""
    for part in reader.cell("slices", cluster, ref.namespace, ref.service) or ():
        numbers = [int(p["port"]) for p in part.get("ports") or [] if (p.get("name") or "") == port_name]
        for source in part.get("endpoints") or [] if numbers else ():
            identity = _identity(reader, source.get("targetRef"), numbers[0], cluster)
            for address in source.get("addresses") or []:
                yield source, Endpoint(address, numbers[0], identity)


def _counts(endpoint: Object, pod: str) -> bool:
    """Who asks for one pod gets it, ready or not."""
    if pod:
        return pod == endpoint.get("hostname") or pod in (endpoint.get("addresses") or [])
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _from_endpoints(reader: Reader, ref: PortRef, port_name: str, cluster: str) -> set[Endpoint]:
    """Addresses of an Endpoints object that nobody has mirrored into slices (yet)."""
    obj = reader.cell("endpoints", cluster, ref.namespace, ref.service) or {}
    return {
        Endpoint(
            address["ip"],
            int(port["port"]),
            _identity(reader, address.get("targetRef"), port["port"], cluster),
        )
        for subset in obj.get("subsets") or []
        for port in subset.get("ports") or []
        if (port.get("name") or "") == port_name
        for address in subset.get("addresses") or []
        if ref.pod in ("", address.get("hostname"))
    }


def _through_gateway(reader: Reader, service: Object, ref: PortRef) -> set[Endpoint]:
    """Addresses of a remote gateway, which is told the service's name there."""
    obj = reader.cell("endpoints", LOCAL, ref.namespace, ref.service)
    port = port_of(service, ref.port)
    if obj is None or port is None:
        return set()
    notes = {**annotations(service), **annotations(obj)}
    name = notes.get(FQ_NAME, "")
    authority = f"{name}:{ref.port}" if name else ""
    return {
        Endpoint(address["ip"], int(entry["port"]), notes.get(GATEWAY_IDENTITY, ""), authority)
        for subset in obj.get("subsets") or []
        for entry in subset.get("ports") or []
        if (entry.get("name") or "") == port.name
        for address in subset.get("addresses") or []
    }


def _identity(reader: Reader, target: Object | None, port: int, cluster: str) -> str:
    """Whose certificate to expect at a pod's port; "" when no proxy stands there."""
    if not target or target.get("kind") != "Pod":
        return ""
    pod = reader.cell("pod", cluster, target.get("namespace", ""), target.get("name", ""))
    if pod is None or not is_meshed(pod) or covers(port_ranges(annotations(pod).get(SKIP_INBOUND, "")), port):
        return ""
    settings = reader.cell("cluster", cluster) or {}
    account = spec(pod).get("serviceAccountName") or "default"
    return workload_name(account, target["namespace"], settings.get("trust_domain", TRUST_DOMAIN))


def is_meshed(pod: Object) -> bool:
    """Whether a pod has been injected."""
    parts = [*(spec(pod).get("containers") or []), *(spec(pod).get("initContainers") or [])]
    names = {part.get("name") for part in parts}
    return MESHED in labels(pod) and (not names or bool(names & {PROXY_CONTAINER, INIT_CONTAINER}))
