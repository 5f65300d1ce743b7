"""The status that the mesh owes to a route: one entry per parentRef that names a Service. Pure."""

from typing import Any

from lab.controlplane.model.attachment import attached, parents, selects
from lab.controlplane.model.backends import resolve
from lab.controlplane.model.filters import mirrors_of, unsupported, unsupported_in_backend
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import PortRef
from lab.controlplane.model.matches import grpc_match, http_match, is_expressible
from lab.controlplane.model.services import ServicePort, address_of, ports_of, service_of
from lab.kube.objects import Object, meta, name, namespace, spec, status

CONTROLLER = "linkerd.io/policy-controller"
_KEPT = 8


def desired_parents(reader: Reader, route: Object, now: str) -> list[Object]:
    """The whole `status.parents` as it should be: entries of other controllers stay as they are.

    A condition keeps its transition time while it says the same, so a route in order is never written again.
    """
    before = status(route).get("parents") or []
    others = [entry for entry in before if entry.get("controllerName") != CONTROLLER]
    ours = []
    for parent in parents(route):
        where = (parent.get("namespace") or namespace(route), str(parent.get("name", "")))
        if service_of(reader, *where) is None:
            continue  # a parent that does not exist gets no entry
        conditions = [_accepted(reader, route, parent), _resolved(reader, route)]
        old: Object = next((e for e in before if e not in others and e.get("parentRef") == parent), {})
        stamped = [_stamped(route, c, old.get("conditions") or [], now) for c in conditions]
        ours.append({"parentRef": parent, "controllerName": CONTROLLER, "conditions": stamped[:_KEPT]})
    return [*others, *ours]


def _accepted(reader: Reader, route: Object, parent: Object) -> Object:
    where = (parent.get("namespace") or namespace(route), str(parent.get("name", "")))
    service = service_of(reader, *where) or {}
    ports = [p for p in ports_of(service) if selects(parent, route, PortRef(*where, p.number), p)]
    if not address_of(service) or not ports:
        return _condition("Accepted", "NoMatchingParent", "no port of a ClusterIP Service fits the parentRef")
    if wrong := _unsupported(route):
        return _condition("Accepted", "UnsupportedValue", "; ".join(wrong))
    if route["kind"] == "HTTPRoute" and any(_is_taken(reader, route, where, port) for port in ports):
        return _condition("Accepted", "Conflicted", "a GRPCRoute decides about the same port")
    return _condition("Accepted", "Accepted", "", holds=True)


def _is_taken(reader: Reader, route: Object, where: tuple[str, str], port: ServicePort) -> bool:
    deciding = attached(reader, PortRef(*where, port.number), port, namespace(route))
    return any(other["kind"] == "GRPCRoute" and namespace(other) == namespace(route) for other in deciding)


def _resolved(reader: Reader, route: Object) -> Object:
    for rule in spec(route).get("rules") or []:
        mirrors = [mirror.get("backendRef") or {} for mirror in mirrors_of(rule.get("filters"))]
        for backend in (*(rule.get("backendRefs") or []), *mirrors):
            found = resolve(reader, route, backend)
            if found.ref is None:
                kind, wanted = backend.get("kind") or "Service", "/".join(found.reference)
                return _condition("ResolvedRefs", found.reason, f"{kind} {wanted}:{backend.get('port')}")
    return _condition("ResolvedRefs", "ResolvedRefs", "", holds=True)


def _unsupported(route: Object) -> list[str]:
    """What the mesh cannot do of a route, by rule."""
    read = grpc_match if route["kind"] == "GRPCRoute" else http_match
    found = []
    for index, rule in enumerate(spec(route).get("rules") or []):
        words = [f"filter {kind}" for kind in unsupported(rule.get("filters"))]
        for backend in rule.get("backendRefs") or []:
            names = unsupported_in_backend(backend.get("filters"))
            words += [f"filter {kind} of backend {backend.get('name')}" for kind in names]
        if not all(is_expressible(read(match)) for match in rule.get("matches") or []):
            words.append("a regular expression that is not RE2's")
        found += [f"rules[{index}]: {word} is not supported" for word in words]
    return found


def _condition(kind: str, reason: str, message: str, *, holds: bool = False) -> Object:
    return {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}


def _stamped(route: Object, condition: Object, before: list[Any], now: str) -> Object:
    """The condition with its generation, and the time since when it has had this status."""
    old: Object = next((c for c in before if c.get("type") == condition["type"]), {})
    same = old.get("status") == condition["status"]
    since = old.get("lastTransitionTime") if same else None
    return {
        **condition,
        "observedGeneration": int(meta(route).get("generation") or 1),
        "lastTransitionTime": since or now,
    }


def title(route: Object) -> str:
    return f"{route['kind']} {namespace(route)}/{name(route)}"
