"""Mirrors of headless Services: one Service per named pod, and a headless one that lists them. Pure.

Only where the link asks for it, in gateway mode, and while the target has pods with host names; otherwise a
headless Service is mirrored as an ordinary one (linkerd2 cluster_watcher_headless.go). The gateway knows a
pod by `<hostname>.<service>.<namespace>.svc.<domain>`.
"""

from collections.abc import Mapping

from lab.controlplane.mirror import desired
from lab.controlplane.mirror.desired import Gateway
from lab.controlplane.mirror.labels import HEADLESS_MIRROR, REMOTE_FQ_NAME
from lab.controlplane.mirror.link import Link
from lab.kube.objects import Object, labels, name, namespace, spec


def is_headless(service: Object) -> bool:
    return spec(service).get("clusterIP") == "None"


def hostnames(endpoints: Object | None) -> tuple[str, ...]:
    """The host names of the ready pods."""
    found = {
        str(address["hostname"])
        for subset in (endpoints or {}).get("subsets") or []
        for address in subset.get("addresses") or []
        if address.get("hostname")
    }
    return tuple(sorted(found))


def parent_of(mirror: Object) -> str:
    """The headless mirror that a pod's mirror belongs to; "" for every other Service."""
    return labels(mirror).get(HEADLESS_MIRROR, "")


def service(remote: Object, link: Link) -> Object:
    """The headless Service that stands for `remote`."""
    made = desired.mirror_service(remote, link, "gateway")
    return {**made, "spec": {**made["spec"], "clusterIP": "None"}}


def endpoints(remote: Object, link: Link, addresses: Mapping[str, str]) -> Object:
    """Its Endpoints: the pods' mirrors by host name, as far as they have an address yet."""
    found = [{"ip": ip, "hostname": hostname} for hostname, ip in sorted(addresses.items())]
    ports = [
        {**desired.named(port), "port": port["port"], "protocol": port.get("protocol", "TCP")}
        for port in spec(remote).get("ports") or []
    ]
    made = desired.mirror_endpoints(remote, link, Gateway(), has_ready=False)
    return {**made, "subsets": [{"addresses": found, "ports": ports}] if found else []}


def pod_service(remote: Object, link: Link, hostname: str) -> Object:
    """The Service that stands for one pod."""
    made = desired.mirror_service(remote, link, "gateway")
    return {**made, "metadata": _of_pod(made["metadata"], remote, link, hostname)}


def pod_endpoints(remote: Object, link: Link, gateway: Gateway, hostname: str) -> Object:
    """The gateway as the endpoint of one pod's Service."""
    made = desired.mirror_endpoints(remote, link, gateway, has_ready=True)
    return {**made, "metadata": _of_pod(made["metadata"], remote, link, hostname)}


def _of_pod(meta: Object, remote: Object, link: Link, hostname: str) -> Object:
    parent = desired.mirror_name(name(remote), link)
    fq_name = f"{hostname}.{desired.fq_name(remote, link)}"
    return {
        **meta,
        "name": desired.mirror_name(hostname, link),
        "namespace": namespace(remote),
        "labels": {**meta["labels"], HEADLESS_MIRROR: parent},
        "annotations": {**meta["annotations"], REMOTE_FQ_NAME: fq_name},
    }
