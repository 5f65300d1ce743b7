"""EndpointSlices and Endpoints that a Service with a selector should have.

Pure. The endpointslice controller compares with what is there and writes the difference.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import Any

from lab.kube.kinds import ENDPOINT_SLICES, ENDPOINTS
from lab.kube.objects import (
    Object,
    content_hash,
    is_condition_true,
    is_deleting,
    labels,
    name,
    namespace,
    owner_reference,
    uid,
)
from lab.kube.selectors import LabelSelector, from_label_selector
from lab.pocket.controllers.packing import packed

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
ENDPOINTS_MANAGED = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
HEADLESS_LABEL = "service.kubernetes.io/headless"
Port = tuple[str, str, int, str]
"""Name, protocol, number, appProtocol."""


def selector(service: Object) -> LabelSelector | None:
    """What the Service selects; None when its endpoints are somebody else's business."""
    spec = service.get("spec") or {}
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return None
    return from_label_selector({"matchLabels": spec["selector"]})


def selected(service: Object, pods: Iterable[Object]) -> list[Object]:
    """Pods behind the Service that have an address, in the order of their names."""
    wanted = selector(service)
    if wanted is None:
        return []
    found = [
        pod
        for pod in pods
        if wanted.matches(labels(pod))
        and (pod.get("status") or {}).get("podIP")
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]
    return sorted(found, key=name)


def slices(
    service: Object, pods: Iterable[Object], zone: str = "", current: Iterable[Object] = ()
) -> list[Object]:
    """EndpointSlices per distinct set of port numbers; at least one, if only an empty one.

    `current` are the slices that are there: a pod stays in the slice that it is in.
    """
    groups: dict[tuple[Port, ...], dict[str, Object]] = defaultdict(dict)
    for pod in selected(service, pods):
        groups[ports(service, pod)][uid(pod)] = pod
    if not groups:
        groups[()] = {}
    seen = list(current)
    made = []
    for group, members in sorted(groups.items()):
        shown = [_port(port) for port in group]
        held = {name(s): _members(s) for s in seen if (s.get("ports") or []) == shown}
        names = (_slice_name(service, group, number) for number in count())
        for slice_name, part in packed(list(members), held, names).items():
            made.append(
                _slice(service, slice_name, shown, [_endpoint(service, members[m], zone) for m in part])
            )
    return made


def ports(service: Object, pod: Object) -> tuple[Port, ...]:
    """The Service's ports as numbers of this pod; a named port the pod lacks is left out."""
    found = []
    for port in (service.get("spec") or {}).get("ports") or ():
        protocol = str(port.get("protocol") or "TCP")
        number = _number(port.get("targetPort") or port["port"], protocol, pod)
        if number:
            found.append((str(port.get("name") or ""), protocol, number, str(port.get("appProtocol") or "")))
    return tuple(found)


def endpoints_object(service: Object, pods: Iterable[Object]) -> Object:
    """The legacy Endpoints object."""
    groups: dict[tuple[Port, ...], list[Object]] = defaultdict(list)
    for pod in selected(service, pods):
        if not is_deleting(pod):
            groups[ports(service, pod)].append(pod)
    own = {
        key: value for key, value in labels(service).items() if not key.startswith("endpoints.kubernetes.io/")
    }
    if _is_headless(service):
        own[HEADLESS_LABEL] = ""
    return {
        "apiVersion": ENDPOINTS.api_version,
        "kind": ENDPOINTS.kind,
        "metadata": {
            "name": name(service),
            "namespace": namespace(service),
            "labels": {**own, **ENDPOINTS_MANAGED},
        },
        "subsets": [_subset(service, group, members) for group, members in sorted(groups.items())],
    }


def _slice_name(service: Object, group: tuple[Port, ...], number: int) -> str:
    ident: list[Any] = [name(service), [[p[0], p[2]] for p in group]]
    suffix = content_hash([*ident, number] if number else ident)[:5]
    return f"{name(service)[:57]}-{suffix}"


def _members(found: Object) -> list[str]:
    return [str((each.get("targetRef") or {}).get("uid")) for each in found.get("endpoints") or ()]


def _slice(
    service: Object, slice_name: str, shown_ports: list[dict[str, Any]], endpoints: list[dict[str, Any]]
) -> Object:
    own = {SERVICE_LABEL: name(service), MANAGED_BY: MANAGER}
    if _is_headless(service):
        own[HEADLESS_LABEL] = ""
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {
            "name": slice_name,
            "namespace": namespace(service),
            "labels": {**labels(service), **own},
            "ownerReferences": [owner_reference({"apiVersion": "v1", "kind": "Service", **service})],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": shown_ports,
    }


def _endpoint(service: Object, pod: Object, zone: str) -> dict[str, Any]:
    serving, terminating = is_condition_true(pod, "Ready"), is_deleting(pod)
    endpoint: dict[str, Any] = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": _any_pod(service) or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": _target(pod),
    }
    if zone:
        endpoint["zone"] = zone
    if hostname := _hostname(service, pod):
        endpoint["hostname"] = hostname
    return endpoint


def _subset(service: Object, group: tuple[Port, ...], pods: list[Object]) -> dict[str, Any]:
    subset: dict[str, Any] = {}
    for field, wanted in (("addresses", True), ("notReadyAddresses", False)):
        found = [_address(service, pod) for pod in pods if _is_published(service, pod) == wanted]
        if found:
            subset[field] = found
    if group:
        subset["ports"] = [_port(port) for port in group]
    return subset


def _is_published(service: Object, pod: Object) -> bool:
    """The pod answers, or the Service does not care."""
    return is_condition_true(pod, "Ready") or _any_pod(service)


def _address(service: Object, pod: Object) -> dict[str, Any]:
    address = {
        "ip": pod["status"]["podIP"],
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": _target(pod),
    }
    if hostname := _hostname(service, pod):
        address["hostname"] = hostname
    return address


def _target(pod: Object) -> dict[str, str]:
    return {"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod)}


def _port(port: Port) -> dict[str, Any]:
    value: dict[str, Any] = {"name": port[0], "protocol": port[1], "port": port[2]}
    return {**value, "appProtocol": port[3]} if port[3] else value


def _number(wanted: int | str, protocol: str, pod: Object) -> int:
    if isinstance(wanted, int):
        return wanted
    if wanted.isdigit():
        return int(wanted)
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*spec["containers"], *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == wanted and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return 0


def _hostname(service: Object, pod: Object) -> str:
    spec = pod["spec"]
    return str(spec.get("hostname") or "") if spec.get("subdomain") == name(service) else ""


def _any_pod(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("publishNotReadyAddresses"))


def _is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"
