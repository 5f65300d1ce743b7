"""What must stand in the source cluster for a remote Service: mirror Service and Endpoints. Pure.

The watcher calls this with what it sees on both sides and writes the difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.controlplane.mirror.labels import (
    CLUSTER_NAME,
    HEADLESS_MIRROR,
    MIRROR_PREFIX,
    MIRRORED_GATEWAY,
    MIRRORED_SERVICE,
    NEVER_COPIED_ANNOTATIONS,
    REMOTE_DISCOVERY,
    REMOTE_FQ_NAME,
    REMOTE_GATEWAY_IDENTITY,
    REMOTE_RESOURCE_VERSION,
    REMOTE_SERVICE,
)
from lab.controlplane.mirror.link import Link
from lab.kube.objects import Object, annotations, labels, name, namespace, resource_version, spec

Mode = Literal["gateway", "flat"]
PROBE_PORT_NAME = "mc-probe"
PROBE_SERVICE_PORT = 4191


@dataclass(frozen=True)
class Gateway:
    """The remote gateway as known now; `alive` is None before the first verdict of the probe."""

    addresses: tuple[str, ...] = ()
    alive: bool | None = None


def mode_of(remote: Object, link: Link) -> Mode | None:
    """How the link exports a remote Service, if it does."""
    found = labels(remote)
    if link.flat.matches(found):
        return "flat"
    return "gateway" if link.gateway.matches(found) else None


def is_member(remote: Object, link: Link) -> bool:
    """Whether the link makes a remote Service part of a federated one."""
    return link.federated.matches(labels(remote))


def why_invalid(remote: Object) -> str:
    """Why a Service cannot be mirrored; "" if it can."""
    if spec(remote).get("type") == "ExternalName":
        return "a Service of type ExternalName has no endpoints to mirror"
    if not spec(remote).get("ports"):
        return "the Service has no ports"
    return ""


def mirror_name(service: str, link: Link) -> str:
    return f"{service}-{link.cluster}"


def mirror_service(remote: Object, link: Link, mode: Mode) -> Object:
    """The Service that stands for `remote` in this cluster."""
    extra = {REMOTE_DISCOVERY: link.cluster, REMOTE_SERVICE: name(remote)} if mode == "flat" else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": mirror_name(name(remote), link),
            "namespace": namespace(remote),
            "labels": {**copied_labels(remote, link.excluded_labels), **mark(link), **extra},
            "annotations": {
                **copied_annotations(remote, link.excluded_annotations),
                REMOTE_RESOURCE_VERSION: resource_version(remote),
                REMOTE_FQ_NAME: fq_name(remote, link),
            },
        },
        "spec": {"type": "ClusterIP", "ports": mirror_ports(remote)},
    }


def mirror_endpoints(remote: Object, link: Link, gateway: Gateway, *, has_ready: bool) -> Object:
    """The Endpoints of a gateway mirror: the gateway for every port; none if the target has no ready pod."""
    ports = [
        {**named(port), "port": link.gateway_port, "protocol": port.get("protocol", "TCP")}
        for port in spec(remote).get("ports") or []
    ]
    has_target = has_ready and bool(gateway.addresses)
    identity = {REMOTE_GATEWAY_IDENTITY: link.gateway_identity} if link.gateway_identity else {}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": mirror_name(name(remote), link),
            "namespace": namespace(remote),
            "labels": {**copied_labels(remote, link.excluded_labels), **mark(link)},
            "annotations": {REMOTE_FQ_NAME: fq_name(remote, link), **identity},
        },
        "subsets": [_subset(gateway, ports)] if has_target else [],
    }


def probe_service(service: str, link: Link) -> Object:
    """The Service through which the gateway is probed, so that the probe itself goes over mTLS."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service, "namespace": link.namespace, "labels": _gateway_mark(link)},
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": PROBE_PORT_NAME, "port": PROBE_SERVICE_PORT, "protocol": "TCP"}],
        },
    }


def probe_endpoints(service: str, link: Link, gateway: Gateway) -> Object:
    """The gateway's probe port; ready even while the gateway is dead, or nobody could see it come back."""
    ports = [{"name": PROBE_PORT_NAME, "port": link.probe.port, "protocol": "TCP"}]
    always = Gateway(gateway.addresses, alive=True)
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": service,
            "namespace": link.namespace,
            "labels": _gateway_mark(link),
            "annotations": {REMOTE_GATEWAY_IDENTITY: link.gateway_identity},
        },
        "subsets": [_subset(always, ports)] if gateway.addresses else [],
    }


def with_readiness(endpoints: Object, *, alive: bool) -> Object:
    """The same Endpoints with all addresses moved to ready, or to not ready."""
    subsets = []
    for subset in endpoints.get("subsets") or []:
        addresses = [*(subset.get("addresses") or []), *(subset.get("notReadyAddresses") or [])]
        key = "addresses" if alive else "notReadyAddresses"
        subsets.append({key: addresses, "ports": subset.get("ports") or []})
    return {**endpoints, "subsets": subsets}


def is_dead(endpoints: Object | None) -> bool:
    """Whether Endpoints have been marked not ready by an earlier verdict."""
    subsets = (endpoints or {}).get("subsets") or []
    return bool(subsets) and not any(subset.get("addresses") for subset in subsets)


def has_ready_address(endpoints: Object | None) -> bool:
    return any(subset.get("addresses") for subset in (endpoints or {}).get("subsets") or [])


def merged(existing: Object, wanted: Object) -> Object | None:
    """`existing` brought to `wanted` for an update; None if nothing differs.

    Labels and annotations become exactly the wanted ones; of the spec only ports are the mirror's.
    """
    changed = {
        **existing,
        "metadata": {
            **existing["metadata"],
            "labels": wanted["metadata"].get("labels") or {},
            "annotations": wanted["metadata"].get("annotations") or {},
        },
    }
    if "spec" in wanted:
        changed["spec"] = {**spec(existing), "ports": wanted["spec"]["ports"]}
    if "subsets" in wanted:
        changed["subsets"] = wanted["subsets"]
    return None if _comparable(changed) == _comparable(existing) else changed


def mark(link: Link) -> dict[str, str]:
    """The labels by which mirrors of a link are found again."""
    return {MIRRORED_SERVICE: "true", CLUSTER_NAME: link.cluster}


def is_mark_of(obj: Object, link: Link) -> bool:
    return all(labels(obj).get(key) == value for key, value in mark(link).items())


def remote_name_of(mirror: Object, link: Link) -> str:
    """The remote Service that a mirror, or a pod's mirror of it, stands for; "" if it is not of this link."""
    suffix = f"-{link.cluster}"
    called = labels(mirror).get(HEADLESS_MIRROR) or name(mirror)
    return called.removesuffix(suffix) if called.endswith(suffix) else ""


def fq_name(remote: Object, link: Link) -> str:
    return f"{name(remote)}.{namespace(remote)}.svc.{link.domain}"


def mirror_ports(remote: Object) -> list[Object]:
    kept = ("name", "protocol", "port", "targetPort", "appProtocol")
    return [{key: port[key] for key in kept if key in port} for port in spec(remote).get("ports") or []]


def copied_labels(remote: Object, excluded: Sequence[str] = ()) -> dict[str, str]:
    found = {key: value for key, value in labels(remote).items() if not key.startswith(MIRROR_PREFIX)}
    return _without(found, excluded)


def copied_annotations(remote: Object, excluded: Sequence[str] = ()) -> dict[str, str]:
    found = {k: v for k, v in annotations(remote).items() if k not in NEVER_COPIED_ANNOTATIONS}
    return _without(found, excluded)


def _without(found: Mapping[str, str], excluded: Sequence[str]) -> dict[str, str]:
    def is_excluded(key: str) -> bool:
        return any(key == rule or (rule.endswith("/*") and key.startswith(rule[:-1])) for rule in excluded)

    return {key: value for key, value in found.items() if not is_excluded(key)}


def _gateway_mark(link: Link) -> dict[str, str]:
    return {MIRRORED_GATEWAY: "true", CLUSTER_NAME: link.cluster}


def _subset(gateway: Gateway, ports: list[Object]) -> Object:
    addresses = [{"ip": ip} for ip in gateway.addresses]
    key = "notReadyAddresses" if gateway.alive is False else "addresses"
    return {key: addresses, "ports": ports}


def named(port: Object) -> Object:
    return {"name": port["name"]} if port.get("name") else {}


def _comparable(obj: Object) -> Object:
    meta = obj["metadata"]
    return {
        "labels": meta.get("labels") or {},
        "annotations": meta.get("annotations") or {},
        "ports": [_comparable_port(port) for port in spec(obj).get("ports") or []],
        "subsets": [_comparable_subset(subset) for subset in obj.get("subsets") or []],
    }


def _comparable_port(port: Object) -> Object:
    """A port without what the API server fills in."""
    filled = {"protocol": "TCP", "targetPort": port.get("port"), **port}
    return {key: value for key, value in filled.items() if key != "nodePort"}


def _comparable_subset(subset: Object) -> Object:
    return {
        "ready": sorted((a["ip"], a.get("hostname", "")) for a in subset.get("addresses") or []),
        "notReady": sorted(a["ip"] for a in subset.get("notReadyAddresses") or []),
        "ports": sorted(
            (str(p.get("name", "")), int(p["port"]), str(p.get("protocol", "TCP")))
            for p in subset.get("ports") or []
        ),
    }
