"""Federated Services: one Service whose endpoints are the union of its members in several clusters.
Pure.

Every link's controller, and the local one, adds or removes only its own member; the API server's
resource version keeps them from overwriting each other.
"""

from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Membership:
    """Who is part of a federated Service: remote `<service>@<cluster>` entries, and a local Service or ""."""

    remote: tuple[str, ...] = ()
    local: str = ""

    @classmethod
    def of(cls, service: Object | None) -> "Membership":
        local = annotations(service or {}).get(LOCAL_DISCOVERY, "")
        return cls(tuple(members(service)), local)

    def without(self, cluster: str) -> "Membership":
        return replace(self, remote=tuple(m for m in self.remote if not m.endswith(f"@{cluster}")))

    def annotations(self) -> dict[str, str]:
        remote = {REMOTE_DISCOVERY: ",".join(self.remote)} if self.remote else {}
        return {**remote, **({LOCAL_DISCOVERY: self.local} if self.local else {})}


def join(existing: Object | None, member: Object, link: Link, *, is_oldest: bool) -> Object:
    """The federated Service with the link's member.

    Metadata and ports follow the local member, or else the member of the oldest link.
    """
    before = Membership.of(existing)
    others = before.without(link.cluster)
    joined = replace(others, remote=tuple(sorted({*others.remote, f"{name(member)}@{link.cluster}"})))
    if existing is not None and (before.local or not is_oldest):
        return _with(existing, joined)
    copied = copied_labels(member, link.excluded_labels)
    notes = copied_annotations(member, link.excluded_annotations)
    return _led(existing, member, (copied, notes), joined)


def join_local(existing: Object | None, member: Object) -> Object:
    """The federated Service with the local member, which also gives it metadata and ports."""
    joined = replace(Membership.of(existing), local=name(member))
    return _led(existing, member, (copied_labels(member), copied_annotations(member)), joined)


def leave(existing: Object, cluster: str) -> Object | None:
    """The federated Service without a cluster's member; None when it was the last."""
    return _left(existing, Membership.of(existing).without(cluster))


def leave_local(existing: Object) -> Object | None:
    """The federated Service without its local member; None when it was the last."""
    return _left(existing, replace(Membership.of(existing), local=""))


def _left(existing: Object, membership: Membership) -> Object | None:
    return _with(existing, membership) if membership != Membership() else None


def _led(
    existing: Object | None,
    member: Object,
    meta: tuple[dict[str, str], dict[str, str]],
    membership: Membership,
) -> Object:
    """The Service as its leading member describes it; an existing one keeps its own address."""
    base: Object = existing or {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": federated_name(name(member)), "namespace": namespace(member)},
        "spec": {"type": "ClusterIP"},
    }
    described = {
        **base,
        "metadata": {
            **base["metadata"],
            "labels": {**meta[0], MIRRORED_SERVICE: "true"},
            "annotations": meta[1],
        },
        "spec": {**spec(base), "ports": mirror_ports(member)},
    }
    return _with(described, membership)


def _with(service: Object, membership: Membership) -> Object:
    ours = (REMOTE_DISCOVERY, LOCAL_DISCOVERY)
    kept = {key: value for key, value in annotations(service).items() if key not in ours}
    return {
        **service,
        "metadata": {**service["metadata"], "annotations": {**kept, **membership.annotations()}},
    }
