"""The status that the mesh owes to a route: one entry per parentRef that names a Service. Pure."""

from typing import Any

from lab.controlplane.model.attachment import attached, parents, selects
from lab.controlplane.model.backends import resolve
from lab.controlplane.model.filters import SUPPORTED
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import PortRef
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
    if unknown := sorted(_filter_types(route) - set(SUPPORTED)):
        return _condition("Accepted", "UnsupportedValue", f"filters not supported: {', '.join(unknown)}")
    if route["kind"] == "HTTPRoute" and any(_is_taken(reader, route, where, port) for port in ports):
        return _condition("Accepted", "Conflicted", "a GRPCRoute decides about the same port")
    return _condition("Accepted", "Accepted", "", holds=True)


def _is_taken(reader: Reader, route: Object, where: tuple[str, str], port: ServicePort) -> bool:
    deciding = attached(reader, PortRef(*where, port.number), port, namespace(route))
    return any(other["kind"] == "GRPCRoute" and namespace(other) == namespace(route) for other in deciding)


def _resolved(reader: Reader, route: Object) -> Object:
    for rule in spec(route).get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            found = resolve(reader, route, backend)
            if found.ref is None:
                kind, wanted = backend.get("kind") or "Service", "/".join(found.reference)
                return _condition("ResolvedRefs", found.reason, f"{kind} {wanted}:{backend.get('port')}")
    return _condition("ResolvedRefs", "ResolvedRefs", "", holds=True)


def _filter_types(route: Object) -> set[str]:
    lists = [rule.get("filters") or [] for rule in spec(route).get("rules") or []]
    lists += [
        b.get("filters") or [] for r in spec(route).get("rules") or [] for b in r.get("backendRefs") or []
    ]
    return {str(item.get("type")) for items in lists for item in items}


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
