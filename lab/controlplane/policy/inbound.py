"""Who may connect to which port of a pod: Server and AuthorizationPolicy objects, or the default policy.
Pure.

A port that a Server selects is closed to everybody whom no AuthorizationPolicy lets in (or follows the
Server's accessPolicy); all other ports follow `config.linkerd.io/default-inbound-policy` of pod, namespace
or cluster.
"""

from dataclasses import dataclass

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Allow, Clause, Match, Network, Policy
from lab.controlplane.model.world import LOCAL, merged_annotations
from lab.controlplane.policy.authentications import clauses_of
from lab.kube.objects import Object, labels, name, namespace, spec
from lab.kube.selectors import from_label_selector

DEFAULT_POLICY = "config.linkerd.io/default-inbound-policy"
CLUSTER_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
ANYBODY = Clause(networks=(Network("0.0.0.0/0"), Network("::/0")))
_ANY_IDENTITY = Clause(identities=("*",))
_IN_CLUSTER = Clause(networks=tuple(Network(cidr) for cidr in CLUSTER_NETWORKS))
_DEFAULTS: dict[str, tuple[Clause, ...]] = {
    "all-authenticated": (_ANY_IDENTITY,),
    "cluster-authenticated": (_ANY_IDENTITY, _IN_CLUSTER),
    "cluster-unauthenticated": (_IN_CLUSTER,),
}


@dataclass(frozen=True)
class ServerPort:
    """A port with its policy, and the protocol its Server states ("" if none does)."""

    policy: Policy
    protocol: str = ""


def default_policy(reader: Reader, pod: Object) -> Policy:
    """The policy of ports that no Server selects."""
    settings = reader.cell("cluster", LOCAL) or {}
    notes = merged_annotations(pod, reader.cell("namespace", namespace(pod)))
    stated = notes.get(DEFAULT_POLICY) or settings.get("default_inbound_policy", "all-unauthenticated")
    return _named_policy(stated, _probes(pod, 0))


def port_policies(reader: Reader, pod: Object) -> dict[int, ServerPort]:
    """The ports of a pod that Servers or probes single out."""
    objects = reader.cell("policy", namespace(pod)) or ()
    servers = [o for o in objects if o["kind"] == "Server" and _selects(o, pod)]
    found: dict[int, ServerPort] = {}
    for server in sorted(servers, key=lambda s: (str(s["metadata"].get("creationTimestamp")), name(s))):
        port = _port_number(pod, spec(server).get("port"))
        if port and port not in found:
            found[port] = ServerPort(
                _server_policy(reader, server, pod, port), spec(server).get("proxyProtocol") or ""
            )
    return found


def _server_policy(reader: Reader, server: Object, pod: Object, port: int) -> Policy:
    objects = reader.cell("policy", namespace(server)) or ()
    policies = [o for o in objects if o["kind"] == "AuthorizationPolicy" and _targets(o, server)]
    allow = [Allow(clauses_of(reader, policy)) for policy in policies]
    if not policies and (access := spec(server).get("accessPolicy") or "deny") != "deny":
        return _named_policy(access, _probes(pod, port))
    return Policy(f"{namespace(server)}/{name(server)}", allow=(*allow, *_probes(pod, port)))


def _named_policy(stated: str, probes: tuple[Allow, ...]) -> Policy:
    """One of the policies that have names of their own; an unknown name denies, as the strictest reading."""
    if stated == "all-unauthenticated":
        return Policy(stated, everyone=True)
    if stated == "audit":
        return Policy(stated, everyone=True, audit=True)
    clauses = _DEFAULTS.get(stated)
    return Policy(stated, allow=((Allow(clauses), *probes) if clauses else probes))


def _targets(policy: Object, server: Object) -> bool:
    target = spec(policy).get("targetRef") or {}
    return (target.get("kind"), target.get("name")) in (
        ("Server", name(server)),
        ("Namespace", namespace(server)),
    )


def _selects(server: Object, pod: Object) -> bool:
    selector = spec(server).get("podSelector")
    return selector is not None and from_label_selector(selector).matches(labels(pod))


def _port_number(pod: Object, port: int | str | None) -> int:
    """A Server's port, which may be the name of a container port; 0 if the pod has no such port."""
    if isinstance(port, int) or (port or "").isdigit():
        return int(port or 0)
    for container in spec(pod).get("containers") or []:
        for stated in container.get("ports") or []:
            if stated.get("name") == port:
                return int(stated["containerPort"])
    return 0


def _probes(pod: Object, port: int) -> tuple[Allow, ...]:
    """The kubelet's HTTP probes of a port (0: of any), which come in plaintext and are always let in."""
    paths = set()
    for container in spec(pod).get("containers") or []:
        for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
            http = (container.get(kind) or {}).get("httpGet")
            if http and port in (0, _port_number(pod, http.get("port"))):
                paths.add(str(http.get("path") or "/").partition("?")[0])
    matches = tuple(Match(path, "exact", "GET") for path in sorted(paths))
    return (Allow((ANYBODY,), matches),) if matches else ()
