"""Small readers that turn parts of an object into table cells. Pure (age reads the clock)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab.kube.objects import parse_time

Object = dict[str, Any]


def dig(obj: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(step)
    return obj


def at(path: str) -> Callable[[Object], Any]:
    """A cell that is the value at a path, empty when there is none."""
    return lambda obj: dig(obj, path)


def shown(path: str, missing: str) -> Callable[[Object], str]:
    """A cell that is the text at a path, or `missing`."""
    return lambda obj: missing if dig(obj, path) in (None, "") else str(dig(obj, path))


def human_duration(seconds: float) -> str:
    """Short age as kubectl prints it: 5s, 3m20s, 2h, 4d."""
    total = int(seconds)
    if total < 0:
        return "0s" if total > -2 else "<invalid>"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days % 365 and days // 365 < 8 else f"{days // 365}y"


def since(stamp: Any, missing: str = "<unknown>", until: Any = None) -> str:
    """The time from a stamp to another, or to now."""
    if not isinstance(stamp, str) or not stamp:
        return missing
    try:
        end = parse_time(str(until)) if until else datetime.now(UTC)
        return human_duration((end - parse_time(stamp)).total_seconds())
    except (ValueError, TypeError):
        return "<invalid>"


def age(obj: Object) -> str:
    return since(dig(obj, "metadata.creationTimestamp"))


def pairs(labels: Any) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted((labels or {}).items())) or "<none>"


def external_ip(obj: Object) -> str:
    spec = obj.get("spec") or {}
    external = list(spec.get("externalIPs") or [])
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        ingress = dig(obj, "status.loadBalancer.ingress") or []
        external = [i.get("ip") or i.get("hostname") or "" for i in ingress] + external
        return ",".join(external) or "<pending>"
    return ",".join(external) or "<none>"


def service_ports(obj: Object) -> str:
    def one(port: Object) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"

    return ",".join(one(p) for p in dig(obj, "spec.ports") or []) or "<none>"


def node_status(obj: Object) -> str:
    conditions = dig(obj, "status.conditions") or []
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    text = "Unknown" if ready is None else ("Ready" if ready.get("status") == "True" else "NotReady")
    return f"{text},SchedulingDisabled" if dig(obj, "spec.unschedulable") else text


def node_roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = dig(obj, "metadata.labels") or {}
    return ",".join(sorted(k[len(prefix) :] for k in labels if k.startswith(prefix))) or "<none>"


def node_address(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        addresses = dig(obj, "status.addresses") or []
        return next((str(a["address"]) for a in addresses if a.get("type") == kind), "<none>")

    return cell


def data_count(obj: Object) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


def _limited(items: list[str]) -> str:
    shown = ",".join(items[:3])
    return f"{shown} + {len(items) - 3} more..." if len(items) > 3 else shown or "<none>"


def endpoints(obj: Object) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or []:
        addresses = [a.get("ip", "") for a in subset.get("addresses") or []]
        ports = [p.get("port") for p in subset.get("ports") or []]
        found += [f"{a}:{p}" for p in ports for a in addresses] if ports else addresses
    return _limited(found)


def slice_ports(obj: Object) -> str:
    ports = obj.get("ports")
    return "<unset>" if not ports else _limited([str(p.get("port", "*")) for p in ports])


def slice_endpoints(obj: Object) -> str:
    found = [a for e in obj.get("endpoints") or [] for a in e.get("addresses") or []]
    return _limited(found) if found else "<unset>"


def first_seen(obj: Object) -> str:
    return since(obj.get("firstTimestamp") or obj.get("eventTime"))


def last_seen(obj: Object) -> str:
    stamp = dig(obj, "series.lastObservedTime") or obj.get("lastTimestamp")
    return since(stamp) if stamp else first_seen(obj)


def event_count(obj: Object) -> int:
    return int(dig(obj, "series.count") or obj.get("count") or 1)


def event_source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else str(component)


def event_object(obj: Object) -> str:
    involved = obj.get("involvedObject") or {}
    kind = str(involved.get("kind", "")).lower()
    return f"{kind}/{involved['name']}" if involved.get("name") else kind


def role_reference(obj: Object) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind')}/{reference.get('name')}"


def subjects(kind: str) -> Callable[[Object], str]:
    """The names of a binding's subjects of one kind; accounts with their namespaces."""

    def cell(obj: Object) -> str:
        found = [s for s in obj.get("subjects") or [] if s.get("kind") == kind]
        names = [f"{s['namespace']}/{s['name']}" if s.get("namespace") else s["name"] for s in found]
        return ", ".join(names)

    return cell


def controller(obj: Object) -> str:
    """The controlling owner as `deployment.apps/name`."""
    owner = next((o for o in dig(obj, "metadata.ownerReferences") or [] if o.get("controller")), None)
    if owner is None:
        return "<none>"
    group = str(owner.get("apiVersion", "")).rpartition("/")[0]
    kind = str(owner.get("kind", "")).lower()
    return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
