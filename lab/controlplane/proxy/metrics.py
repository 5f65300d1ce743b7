"""What Envoy counts, under the names that Linkerd's proxy has for it: Prometheus text. Pure.

Outbound requests, connections and balancer states are known per endpoint, with the identity that stands
behind it; outbound answers and latencies per Service or route, inbound ones per port and by whether the
client was meshed. Of the kubelet's probes Envoy counts requests and latencies, and no responses. It does not
count by inbound client (no `client_id`), by the pod or workload at the other end (no `dst_pod`,
`dst_deployment`), nor by the status that ends a gRPC stream.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Labels = dict[str, str]

LATENCIES_MS = tuple(step * scale for scale in (1, 10, 100, 1000, 10_000) for step in (1, 2, 3, 4, 5))
"""Linkerd's upper bounds of latency."""

_KINDS = {
    "request_total": ("counter", "Requests."),
    "response_total": ("counter", "Responses by what they say of success."),
    "response_latency_ms": ("histogram", "Time until a response has ended, milliseconds."),
    "outbound_http_balancer_endpoints": ("gauge", "Endpoints in balancers that are in use."),
    "inbound_http_authz_allow_total": ("counter", "Requests that policy let in."),
    "inbound_http_authz_deny_total": ("counter", "Requests that policy refused."),
    "inbound_http_fault_abort_total": ("counter", "Requests that failed on purpose (the lab's own)."),
    "inbound_http_fault_delay_total": ("counter", "Requests that were held up on purpose (the lab's own)."),
    "tcp_open_total": ("counter", "Connections opened."),
    "tcp_open_connections": ("gauge", "Connections that are open."),
    "tcp_read_bytes_total": ("counter", "Bytes read from connections."),
    "tcp_write_bytes_total": ("counter", "Bytes written to connections."),
    "identity_cert_expiration_timestamp_seconds": ("gauge", "Unix time at which the certificate ends."),
}
_INBOUND = {
    "http_downstream_rq_total": "request_total",
    "http_downstream_rq_time_bucket": "response_latency_ms_bucket",
    "http_downstream_rq_time_sum": "response_latency_ms_sum",
    "http_downstream_rq_time_count": "response_latency_ms_count",
    "http_rbac_allowed": "inbound_http_authz_allow_total",
    "http_rbac_denied": "inbound_http_authz_deny_total",
    "http_fault_aborts_injected": "inbound_http_fault_abort_total",
    "http_fault_delays_injected": "inbound_http_fault_delay_total",
}
_OUTBOUND = {
    "cluster_upstream_rq_time_bucket": "response_latency_ms_bucket",
    "cluster_upstream_rq_time_sum": "response_latency_ms_sum",
    "cluster_upstream_rq_time_count": "response_latency_ms_count",
    "cluster_upstream_cx_rx_bytes_total": "tcp_read_bytes_total",
    "cluster_upstream_cx_tx_bytes_total": "tcp_write_bytes_total",
}
_LISTENER = {
    "listener_downstream_cx_total": "tcp_open_total",
    "listener_downstream_cx_active": "tcp_open_connections",
}
_GATEWAY_API = "gateway.networking.k8s.io"
_ROUTES = {
    "http": {"route_group": _GATEWAY_API, "route_kind": "HTTPRoute"},
    "grpc": {"route_group": _GATEWAY_API, "route_kind": "GRPCRoute"},
    "policy-http": {"route_group": "policy.linkerd.io", "route_kind": "HTTPRoute"},
}
_LINE = re.compile(r"envoy_(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_EXPIRY = "cluster_ssl_certificate_expiration_unix_time_seconds"
_OWN_CERTIFICATE = {"envoy_cluster_name": "linkerd-destination", "envoy_tls_certificate": "identity"}


@dataclass
class Families:
    """Samples by metric, in the order in which they came."""

    lines: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, labels: Labels, value: str) -> None:
        family = re.sub("_(bucket|sum|count)$", "", name)
        inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
        line = f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"
        self.lines.setdefault(family, []).append(line)

    def text(self) -> str:
        found = []
        for name, (kind, about) in _KINDS.items():
            if lines := self.lines.get(name):
                found += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", *lines]
        return "\n".join(found) + "\n"


@dataclass(frozen=True)
class Sample:
    """One line of Envoy's Prometheus text, its name without `envoy_`."""

    name: str
    labels: Labels
    value: str

    @property
    def bound(self) -> Labels:
        """The upper bound of a histogram's bucket, as it is."""
        return {"le": self.labels["le"]} if "le" in self.labels else {}


def exposition(stats: str, clusters: Mapping[str, Any]) -> str:
    """Linkerd's metrics from Envoy's `/stats/prometheus` and `/clusters?format=json`."""
    found = Families()
    for sample in _samples(stats):
        if manager := sample.labels.get("envoy_http_conn_manager_prefix"):
            _inbound(found, sample, _client(manager))
        elif target := _target(sample.labels.get("envoy_cluster_name", "")):
            _outbound(found, sample, target)
        else:
            _connections(found, sample)
    for cluster in clusters.get("cluster_statuses") or ():
        _endpoints(found, cluster)
    return found.text()


def _samples(stats: str) -> Iterator[Sample]:
    for match in _LINE.finditer(stats):
        yield Sample(match["name"], dict(_LABEL.findall(match["labels"])), match["value"])


def _inbound(found: Families, sample: Sample, client: Labels) -> None:
    """Statistics of one connection manager; `client` is empty if it is not an inbound one."""
    labels = {"direction": "inbound", **client}
    if not client:
        return
    if sample.name in _INBOUND:
        found.add(_INBOUND[sample.name], labels | sample.bound, sample.value)
    elif sample.name == "http_downstream_rq_xx" and sample.labels["envoy_response_code_class"] in "2345":
        code = f"{sample.labels['envoy_response_code_class']}xx"
        found.add("response_total", labels | _status(code), sample.value)


def _outbound(found: Families, sample: Sample, target: Labels) -> None:
    labels = {"direction": "outbound", **target}
    if sample.name.endswith("bytes_total") and sample.name in _OUTBOUND:
        found.add(_OUTBOUND[sample.name], {"peer": "dst", **labels}, sample.value)
    elif sample.name in _OUTBOUND:
        found.add(_OUTBOUND[sample.name], labels | sample.bound, sample.value)
    elif sample.name == "cluster_upstream_rq":
        found.add("response_total", labels | _status(sample.labels["envoy_response_code"]), sample.value)


def _connections(found: Families, sample: Sample) -> None:
    """Statistics of listeners, and of the connection to the control plane, which shows the certificate."""
    listener = sample.labels.get("envoy_listener_address", "")
    if sample.name in _LISTENER and listener in ("inbound", "outbound"):
        found.add(_LISTENER[sample.name], {"direction": listener, "peer": "src"}, sample.value)
    elif sample.name == _EXPIRY and _OWN_CERTIFICATE.items() <= sample.labels.items():
        found.add("identity_cert_expiration_timestamp_seconds", {}, sample.value)


def _client(manager: str) -> Labels:
    """What an inbound manager's name says of its clients; nothing for other managers."""
    if manager == "gateway":
        return {"tls": "true", "target_port": "4143"}
    match = re.fullmatch(r"inbound-(\w+)-(mtls|plain)", manager)
    if not match:
        return {}
    return {"tls": "true" if match[2] == "mtls" else "no_identity", "target_port": match[1]}


def _target(cluster: str) -> Labels:
    """What a cluster's name says of where its requests go; nothing for clusters that are not outbound."""
    kind, *parts = cluster.split("/")
    if kind in ("outbound", "outbound-tcp"):
        return _service(parts)
    if kind == "route":
        which, namespace, name = parts[:3]
        return {**_ROUTES[which], "route_namespace": namespace, "route_name": name}
    return {}


def _service(parts: list[str]) -> Labels:
    namespace, service, port = parts
    return {"dst_namespace": namespace, "dst_service": service, "dst_port": port}


def _status(code: str) -> Labels:
    """A status, or a class of them where Envoy counts no more (`5xx`)."""
    return {"status_code": code, "classification": "failure" if code.startswith("5") else "success"}


def _endpoints(found: Families, cluster: Mapping[str, Any]) -> None:
    """The endpoints of one cluster, if it has been used."""
    name = str(cluster.get("name", ""))
    hosts = [_Host(host) for host in cluster.get("host_statuses") or ()]
    if not _target(name) or not any(host.stats.get("cx_total") or host.is_out for host in hosts):
        return
    is_http = not name.startswith("outbound-tcp/")
    states: dict[tuple[str, str], int] = {}
    for host in hosts:
        labels = {"direction": "outbound", **(_target(name) | host.labels())}
        if is_http:
            found.add("request_total", labels, str(host.stats.get("rq_total", 0)))
            for state in ("ready", "pending"):
                states.setdefault((host.backend, state), 0)
            states[host.backend, "pending" if host.is_out else "ready"] += 1
        peer = {"peer": "dst", **labels}
        found.add("tcp_open_total", peer, str(host.stats.get("cx_total", 0)))
        found.add("tcp_open_connections", peer, str(host.stats.get("cx_active", 0)))
    route = {key: value for key, value in _target(name).items() if key.startswith("route_")}
    for (backend, state), count in states.items():
        namespace, service, port = backend.split("/")
        who = {"backend_namespace": namespace, "backend_name": service, "backend_port": port}
        labels = {**route, "backend_kind": "Service", **who, "endpoint_state": state}
        found.add("outbound_http_balancer_endpoints", labels, str(count))


class _Host:
    """One endpoint as Envoy's `/clusters` shows it; its zone is the backend, its name the identity."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        self.stats = {stat["name"]: int(stat.get("value", 0)) for stat in status.get("stats") or ()}
        self.identity = str(status.get("hostname") or "")
        self.backend = str((status.get("locality") or {}).get("zone") or "")
        self.is_out = bool((status.get("health_status") or {}).get("failed_outlier_check"))
        socket = (status.get("address") or {}).get("socket_address") or {}
        self.address = f"{socket.get('address')}:{socket.get('port_value')}"

    def labels(self) -> Labels:
        identity = {"server_id": self.identity} if self.identity else {}
        tls = {"tls": "true" if self.identity else "no_identity", **identity}
        return {**_service(self.backend.split("/")), "target_addr": self.address, **tls}
