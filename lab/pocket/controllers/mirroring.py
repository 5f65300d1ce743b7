"""EndpointSlices for Endpoints that people and programs write by hand, for Services without a selector.

Pure. As upstream's EndpointSliceMirroring; the service mirror's gateway endpoints go this way.
"""

from typing import Any

from lab.kube.kinds import ENDPOINT_SLICES
from lab.kube.objects import Object, annotations, content_hash, labels, name, namespace, owner_reference
from lab.pocket.controllers.endpoints import MANAGED_BY, SERVICE_LABEL
from lab.pocket.controllers.packing import LIMIT

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"


def is_mirrored(service: Object | None, endpoints: Object | None) -> bool:
    """Hand-written Endpoints of an existing Service without selector."""
    if service is None or endpoints is None or (service.get("spec") or {}).get("selector"):
        return False
    return labels(endpoints).get(SKIP) != "true" and LEADER not in annotations(endpoints)


def mirrored(endpoints: Object) -> list[Object]:
    """EndpointSlices per subset and address family, each of no more endpoints than a slice may have."""
    made = []
    for subset in endpoints.get("subsets") or ():
        listed = [
            *(_endpoint(address, ready=True) for address in subset.get("addresses") or ()),
            *(_endpoint(address, ready=False) for address in subset.get("notReadyAddresses") or ()),
        ]
        for family, is_six in (("IPv4", False), ("IPv6", True)):
            part = [each for each in listed if (":" in each["addresses"][0]) == is_six]
            for start in range(0, len(part) or not is_six, LIMIT):
                number = [family, start] if is_six or start else []
                made.append(_slice(endpoints, subset, family, part[start : start + LIMIT], number))
    return made


def _slice(
    endpoints: Object, subset: dict[str, Any], family: str, part: list[dict[str, Any]], number: list[Any]
) -> Object:
    ports = [
        {"name": p.get("name") or "", "protocol": p.get("protocol") or "TCP", "port": p["port"]}
        | ({"appProtocol": p["appProtocol"]} if p.get("appProtocol") else {})
        for p in subset.get("ports") or ()
    ]
    suffix = content_hash([name(endpoints), ports, *number])[:5]
    kept = {k: v for k, v in annotations(endpoints).items() if k != LAST_CHANGE}
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {
            "name": f"{name(endpoints)[:57]}-{suffix}",
            "namespace": namespace(endpoints),
            "labels": {**labels(endpoints), SERVICE_LABEL: name(endpoints), MANAGED_BY: MANAGER},
            "annotations": kept,
            "ownerReferences": [owner_reference({"apiVersion": "v1", "kind": "Endpoints", **endpoints})],
        },
        "addressType": family,
        "endpoints": part,
        "ports": ports,
    }


def _endpoint(address: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for field in ("hostname", "nodeName", "targetRef"):
        if address.get(field):
            endpoint[field] = address[field]
    return endpoint
