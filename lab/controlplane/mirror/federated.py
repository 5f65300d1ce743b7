"""Federated Services: one Service whose endpoints are the union of its members in several clusters.
Pure.

Every link's controller, and the local one, adds or removes only its own member; the API server's
resource version keeps them from overwriting each other.
"""

from lab.controlplane.mirror.desired import copied_annotations, copied_labels, mirror_ports
from lab.controlplane.mirror.labels import LOCAL_DISCOVERY, MIRRORED_SERVICE, REMOTE_DISCOVERY
from lab.controlplane.mirror.link import Link
from lab.kube.objects import Object, annotations, labels, name, namespace, spec

SUFFIX = "-federated"


def federated_name(service: str) -> str:
    return f"{service}{SUFFIX}"


def is_federated(service: Object) -> bool:
    """Whether a Service is one of ours."""
    found = annotations(service)
    return labels(service).get(MIRRORED_SERVICE) == "true" and (
        REMOTE_DISCOVERY in found or LOCAL_DISCOVERY in found
    )


def members(service: Object | None) -> list[str]:
    """Remote members as `<service>@<cluster>`, in the order they stand."""
    text = annotations(service or {}).get(REMOTE_DISCOVERY, "")
    return [part for part in text.split(",") if part]


def clusters_of(service: Object | None) -> list[str]:
    return [member.partition("@")[2] for member in members(service)]


def join(existing: Object | None, member: Object, link: Link, *, is_oldest: bool) -> Object:
    """The federated Service with the link's member.

    Metadata and ports follow the local member, or else the member of the oldest link.
    """
    entry = f"{name(member)}@{link.cluster}"
    joined = sorted({*(m for m in members(existing) if not m.endswith(f"@{link.cluster}")), entry})
    local = annotations(existing or {}).get(LOCAL_DISCOVERY, "")
    leads = existing is None or (not local and is_oldest)
    return _service(existing, member, joined, local, leads=leads, link=link)


def join_local(existing: Object | None, member: Object) -> Object:
    """The federated Service with the local member, which also gives it metadata and ports."""
    return _service(existing, member, members(existing), name(member), leads=True, link=None)


def leave(existing: Object, cluster: str) -> Object | None:
    """The federated Service without a cluster's member; None when it was the last."""
    left = [m for m in members(existing) if not m.endswith(f"@{cluster}")]
    return _without(existing, left, annotations(existing).get(LOCAL_DISCOVERY, ""))


def leave_local(existing: Object) -> Object | None:
    """The federated Service without its local member; None when it was the last."""
    return _without(existing, members(existing), "")


def _without(existing: Object, remote: list[str], local: str) -> Object | None:
    if not remote and not local:
        return None
    kept = {k: v for k, v in annotations(existing).items() if k not in (REMOTE_DISCOVERY, LOCAL_DISCOVERY)}
    meta = {**existing["metadata"], "annotations": {**kept, **_membership(remote, local)}}
    return {**existing, "metadata": meta}


def _service(
    existing: Object | None, member: Object, remote: list[str], local: str, *, leads: bool, link: Link | None
) -> Object:
    base: Object = existing or {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": federated_name(name(member)), "namespace": namespace(member)},
        "spec": {"type": "ClusterIP"},
    }
    found_labels, found_annotations, ports = labels(base), annotations(base), spec(base).get("ports")
    if leads:
        found_labels = copied_labels(member, link.excluded_labels if link else ())
        found_annotations = copied_annotations(member, link.excluded_annotations if link else ())
        ports = mirror_ports(member)
    kept = {k: v for k, v in found_annotations.items() if k not in (REMOTE_DISCOVERY, LOCAL_DISCOVERY)}
    return {
        **base,
        "metadata": {
            **base["metadata"],
            "labels": {**found_labels, MIRRORED_SERVICE: "true"},
            "annotations": {**kept, **_membership(remote, local)},
        },
        "spec": {**spec(base), "ports": ports},
    }


def _membership(remote: list[str], local: str) -> dict[str, str]:
    return {
        **({REMOTE_DISCOVERY: ",".join(remote)} if remote else {}),
        **({LOCAL_DISCOVERY: local} if local else {}),
    }
