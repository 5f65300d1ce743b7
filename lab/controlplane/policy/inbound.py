"""Who may connect to which port of a pod: Servers and what authorizes their clients, or the default policy.
Pure.

A port that a Server selects is closed to everybody whom neither an authorization nor the Server's
accessPolicy lets in. Every other port follows `config.linkerd.io/default-inbound-policy` of pod, namespace
or cluster.
"""

from dataclasses import dataclass, replace

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Allow, Clause, InboundRoute, Match, Network, Policy
from lab.controlplane.model.services import covers, port_ranges
from lab.controlplane.model.world import LOCAL, merged_annotations
from lab.controlplane.policy.authentications import ANY_NETWORK, authorized, clauses_of
from lab.controlplane.policy.routes import inbound_routes
from lab.kube.objects import Object, labels, name, namespace, spec
from lab.kube.selectors import from_label_selector

DEFAULT_POLICY = "config.linkerd.io/default-inbound-policy"
REQUIRE_IDENTITY = "config.linkerd.io/proxy-require-identity-inbound-ports"
CLUSTER_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
_ANY_IDENTITY = Clause(identities=("*",))


@dataclass(frozen=True)
class PortPolicy:
    """A port with its policy, the protocol its Server states ("" if none does), and the Server's routes."""

    policy: Policy
    protocol: str = ""
    routes: tuple[InboundRoute, ...] = ()


def default_policy(reader: Reader, pod: Object, port: int = 0) -> Policy:
    """The policy of a port that no Server selects; port 0 is any that nothing singles out."""
    settings = reader.cell("cluster", LOCAL) or {}
    notes = merged_annotations(pod, reader.cell("namespace", namespace(pod)))
    stated = notes.get(DEFAULT_POLICY) or settings.get("default_inbound_policy", "all-unauthenticated")
    if covers(port_ranges(notes.get(REQUIRE_IDENTITY, "")), port):
        stated = stated.replace("unauthenticated", "authenticated")
    found = _named(reader, stated)
    return replace(found, allow=(*found.allow, *_probes(pod, port)))


def port_policies(reader: Reader, pod: Object) -> dict[int, PortPolicy]:
    """The ports of a pod that Servers, probes or annotations single out. Of two Servers the older wins."""
    objects = reader.cell("policy", namespace(pod)) or ()
    servers = [o for o in objects if o["kind"] == "Server" and _selects(o, pod)]
    found: dict[int, PortPolicy] = {}
    for server in sorted(servers, key=lambda s: (str(s["metadata"].get("creationTimestamp")), name(s))):
        for port in _port_numbers(pod, spec(server).get("port")):
            if port not in found:
                found[port] = _server_port(reader, server, pod, port)
    for port in _singled_out(reader, pod) - set(found):
        found[port] = PortPolicy(default_policy(reader, pod, port))
    return found


def _server_port(reader: Reader, server: Object, pod: Object, port: int) -> PortPolicy:
    objects = reader.cell("policy", namespace(server)) or ()
    allow = [Allow(clauses_of(reader, o)) for o in objects if _targets(o, server)]
    allow += [Allow(authorized(reader, o)) for o in objects if _authorizes(o, server)]
    access = _named(reader, spec(server).get("accessPolicy") or "deny")
    title = f"{namespace(server)}/{name(server)}"
    policy = replace(access, name=title, allow=(*allow, *access.allow))
    routes = inbound_routes(reader, server, policy)
    if not routes:
        # Once a Server has routes, a probe needs one that lets the kubelet in, as everybody else does.
        policy = replace(policy, allow=(*policy.allow, *_probes(pod, port)))
    return PortPolicy(policy, spec(server).get("proxyProtocol") or "", routes)


def _named(reader: Reader, stated: str) -> Policy:
    """A policy by its name; `deny`, and any name unknown here, lets nobody in."""
    if stated in ("all-unauthenticated", "audit"):
        return Policy(stated, everyone=True, audit=stated == "audit")
    settings = reader.cell("cluster", LOCAL) or {}
    inside = Clause(networks=tuple(map(Network, settings.get("cluster_networks", CLUSTER_NETWORKS))))
    clauses = {
        "all-authenticated": (_ANY_IDENTITY,),
        "cluster-unauthenticated": (inside,),
        "cluster-authenticated": (_ANY_IDENTITY, inside),
    }.get(stated)
    return Policy(stated, allow=(Allow(clauses),) if clauses else ())


def _targets(obj: Object, server: Object) -> bool:
    target = spec(obj).get("targetRef") or {}
    return obj["kind"] == "AuthorizationPolicy" and (target.get("kind"), target.get("name")) in (
        ("Server", name(server)),
        ("Namespace", namespace(server)),
    )


def _authorizes(obj: Object, server: Object) -> bool:
    if obj["kind"] != "ServerAuthorization":
        return False
    chosen = spec(obj).get("server") or {}
    if "name" in chosen:
        return bool(chosen["name"] == name(server))
    return from_label_selector(chosen.get("selector") or {}).matches(labels(server))


def _selects(server: Object, pod: Object) -> bool:
    selector = spec(server).get("podSelector")
    return selector is not None and from_label_selector(selector).matches(labels(pod))


def _containers(pod: Object) -> list[Object]:
    """All that run beside each other: containers, and init containers that keep running (the proxy)."""
    first = [c for c in spec(pod).get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    return [*first, *(spec(pod).get("containers") or [])]


def _port_numbers(pod: Object, port: int | str | None) -> tuple[int, ...]:
    """A port by number, or by a name that several containers may use."""
    if isinstance(port, int) or (port or "").isdigit():
        return (int(port or 0),)
    stated = [p for container in _containers(pod) for p in container.get("ports") or []]
    return tuple(dict.fromkeys(int(p["containerPort"]) for p in stated if p.get("name") == port))


def _singled_out(reader: Reader, pod: Object) -> set[int]:
    """Ports whose default policy may differ from that of the pod's other ports."""
    notes = merged_annotations(pod, reader.cell("namespace", namespace(pod)))
    ranges = port_ranges(notes.get(REQUIRE_IDENTITY, ""))
    found = {port for low, high in ranges for port in range(low, high + 1)}
    return found | {port for ports, _ in _http_probes(pod) for port in ports}


def _http_probes(pod: Object) -> list[tuple[tuple[int, ...], str]]:
    """Ports and path of each HTTP probe of the kubelet."""
    kinds = ("livenessProbe", "readinessProbe", "startupProbe")
    probes = [(c.get(kind) or {}).get("httpGet") for c in _containers(pod) for kind in kinds]
    return [
        (_port_numbers(pod, probe.get("port")), str(probe.get("path") or "/").partition("?")[0])
        for probe in probes
        if probe
    ]


def _probes(pod: Object, port: int) -> tuple[Allow, ...]:
    """The kubelet's HTTP probes of a port, which come in plaintext and are let in."""
    paths = sorted({path for ports, path in _http_probes(pod) if port in ports})
    matches = tuple(Match(path, "exact", "GET") for path in paths)
    return (Allow((ANY_NETWORK,), matches),) if matches else ()
