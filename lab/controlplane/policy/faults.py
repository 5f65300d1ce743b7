"""What HTTPFaults ask of the proxy of a pod. Pure."""

from typing import Any

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import HttpFault
from lab.kube.objects import Object, labels, name, namespace, spec
from lab.kube.selectors import from_label_selector


def http_fault(reader: Reader, pod: Object) -> HttpFault | None:
    """The faults on a pod put together; a younger one says what an older one said, anew."""
    objects = reader.cell("policy", namespace(pod)) or ()
    mine = [obj for obj in objects if obj["kind"] == "HTTPFault" and _selects(obj, pod)]
    if not mine:
        return None
    fields: dict[str, Any] = {}
    for obj in sorted(mine, key=lambda one: (str(one["metadata"].get("creationTimestamp")), name(one))):
        fields |= _fields(spec(obj))
    return HttpFault(**fields)


def _selects(fault: Object, pod: Object) -> bool:
    return from_label_selector(spec(fault).get("podSelector") or {}).matches(labels(pod))


def _fields(asked: Object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "httpStatus" in asked or "grpcStatus" in asked:
        found |= {
            "abort_percent": asked["percent"],
            "http_status": asked.get("httpStatus", 0),
            "grpc_status": asked.get("grpcStatus", 0),
        }
    if "delayMilliseconds" in asked:
        found |= {"delay_percent": asked["percent"], "delay": asked["delayMilliseconds"] / 1000}
    return found
