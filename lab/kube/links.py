"""What a Link object says: which cluster it leads to, and what it carries. Pure."""

from lab.kube import objects
from lab.kube.objects import Object


def link_target(obj: Object) -> str:
    return str(objects.spec(obj).get("targetClusterName") or objects.name(obj))


def modes_of(obj: Object) -> tuple[str, ...]:
    """The modes a Link object carries: those whose selector selects something."""
    spec = objects.spec(obj)
    has = {
        "gateway": bool(spec.get("gatewayAddress")) and _selects(spec.get("selector")),
        "flat": _selects(spec.get("remoteDiscoverySelector")),
        "federated": _selects(spec.get("federatedServiceSelector")),
    }
    return tuple(mode for mode, present in has.items() if present)


def _selects(selector: object) -> bool:
    return isinstance(selector, dict) and any(selector.values())
