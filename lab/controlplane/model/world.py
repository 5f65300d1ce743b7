"""The Kubernetes objects that the mesh depends on, indexed as the rules of this package ask for them.

The destination program (or a test) puts objects in as they change; rules read them through `Reader.cell`.
Objects are kept without status, versions and managed fields, so that a write which does not matter wakes
nobody. Cells:

    service/slices/endpoints/pod <cluster> <namespace> <name>   (slices: a tuple; cluster "" is the local one)
    services <cluster>          names of all Services       namespace <name>
    routes <namespace> <service>      routes of any namespace attached to it
    splits <namespace> <service>      TrafficSplits of it
    inbound-routes <namespace>        routes attached to a Server of that namespace
    policy <namespace>          policy objects by kind      cluster <name>     settings of a linked cluster
"""

from collections.abc import Callable, Iterable
from typing import Any

from lab.controlplane.model.graph import Cell, Graph
from lab.kube.objects import Key, Object, annotations, key, labels, meta, name, namespace, spec

LOCAL = ""
ROUTE_KINDS = ("HTTPRoute", "GRPCRoute")
POLICY_KINDS = (
    "Server",
    "ServerAuthorization",
    "AuthorizationPolicy",
    "MeshTLSAuthentication",
    "NetworkAuthentication",
    "HTTPFault",
    "CertificateFault",
)
_NAMED = {"Service": "service", "Endpoints": "endpoints", "Pod": "pod"}
_META = ("name", "namespace", "labels", "annotations", "creationTimestamp", "generation")


class World:
    """All objects of the local cluster and what is known of the linked ones."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.graph = Graph()
        self.on_change = on_change
        self._groups: dict[Cell, dict[Key, Object]] = {}
        self._names: dict[str, dict[Key, None]] = {}

    def put(self, old: Object | None, new: Object | None, cluster: str = LOCAL) -> None:
        """Record a change: `old` is None for an object that appeared, `new` for one that is gone."""
        kind = str((new or old or {}).get("kind", ""))
        before = self.graph.revision
        if kind in _NAMED:
            self._put_named(_NAMED[kind], old, new, cluster)
        elif kind == "EndpointSlice":
            self._put_grouped(_slice_cells, old, new, cluster)
        elif kind in ROUTE_KINDS:
            self._put_grouped(_route_cells, old, new, cluster)
        elif kind == "TrafficSplit":
            self._put_grouped(_split_cells, old, new, cluster)
        elif kind in POLICY_KINDS:
            self._put_grouped(_policy_cells, old, new, cluster)
        elif kind == "Namespace":
            self.graph.set(("namespace", name(new or old or {})), _trimmed(new))
        if self.graph.revision != before:
            self.on_change()

    def set_cluster(self, cluster: str, settings: dict[str, Any] | None) -> None:
        """Record what is known of a linked cluster; None forgets it."""
        self.graph.set(("cluster", cluster), settings)
        self.on_change()

    def load(self, objects: Iterable[Object], cluster: str = LOCAL) -> None:
        """Put many objects at once (tests, first lists)."""
        for obj in objects:
            self.put(None, obj, cluster)

    def _put_named(self, cell: str, old: Object | None, new: Object | None, cluster: str) -> None:
        where = key(new or old or {})
        self.graph.set((cell, cluster, *where), _trimmed(new))
        if cell == "service":
            names = self._names.setdefault(cluster, {})
            if (where in names) != (new is not None):
                names.pop(where) if new is None else names.setdefault(where)
                self.graph.set(("services", cluster), tuple(sorted(names)))

    def _put_grouped(self, cells: Any, old: Object | None, new: Object | None, cluster: str) -> None:
        trimmed = _trimmed(new)
        before = set(cells(old, cluster)) if old else set()
        after = set(cells(new, cluster)) if new else set()
        obj = new or old or {}
        # Two API groups have a kind HTTPRoute; what they hold may bear the same name.
        api = str(obj.get("apiVersion", "")).rpartition("/")[0]
        identity = (f"{obj.get('kind', '')}/{namespace(obj)}", f"{name(obj)}/{api}")
        for cell in before | after:
            group = self._groups.setdefault(cell, {})
            if cell in after and trimmed is not None:
                group[identity] = trimmed
            else:
                group.pop(identity, None)
            self.graph.set(cell, tuple(group[k] for k in sorted(group)) or None)


def _slice_cells(obj: Object, cluster: str) -> list[Cell]:
    return [("slices", cluster, namespace(obj), labels(obj).get("kubernetes.io/service-name", ""))]


def _policy_cells(obj: Object, cluster: str) -> list[Cell]:
    return [("policy", namespace(obj))]


def _route_cells(obj: Object, cluster: str) -> list[Cell]:
    found: list[Cell] = [("routes", *parent) for parent in service_parents(obj)]
    return [*found, ("inbound-routes", namespace(obj))] if server_parents(obj) else found


def _split_cells(obj: Object, cluster: str) -> list[Cell]:
    return [("splits", namespace(obj), str(spec(obj).get("service", "")))]


def is_service_parent(parent: Object) -> bool:
    """Whether a parentRef names a Service; the docs write the core group both ways."""
    return parent.get("kind") == "Service" and parent.get("group", "") in ("", "core")


def service_parents(route: Object) -> list[Key]:
    """The Services that a route names as parents."""
    parents = [p for p in spec(route).get("parentRefs") or [] if is_service_parent(p)]
    return [(p.get("namespace") or namespace(route), str(p.get("name", ""))) for p in parents]


def server_parents(route: Object) -> list[str]:
    """The Servers that a route names as parents; they are in its own namespace."""
    parents = spec(route).get("parentRefs") or []
    return [
        str(parent.get("name", ""))
        for parent in parents
        if (parent.get("group"), parent.get("kind")) == ("policy.linkerd.io", "Server")
        and parent.get("namespace") in (None, namespace(route))
    ]


def merged_annotations(obj: Object, namespace_object: Object | None) -> dict[str, str]:
    """An object's annotations over its namespace's."""
    return {**annotations(namespace_object or {}), **annotations(obj)}


def _trimmed(obj: Object | None) -> Object | None:
    if obj is None:
        return None
    kept = {part: value for part, value in obj.items() if part not in ("status", "metadata")}
    kept["metadata"] = {part: value for part, value in meta(obj).items() if part in _META}
    return kept
