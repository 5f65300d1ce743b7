"""What HTTPFaults ask of the proxy of a pod. Pure."""

from typing import Any

from lab.controlplane.faults import faults_on
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import HttpFault
from lab.kube.objects import Object, namespace, spec


def http_fault(reader: Reader, pod: Object) -> HttpFault | None:
    """The faults on a pod put together; a younger one says what an older one said, anew."""
    objects = reader.cell("policy", namespace(pod)) or ()
    fields: dict[str, Any] = {}
    for obj in faults_on(pod, objects, "HTTPFault"):
        fields |= _fields(spec(obj))
    return HttpFault(**fields) if fields else None


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
