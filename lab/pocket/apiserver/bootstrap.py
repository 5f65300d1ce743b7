"""Objects every cluster has: made at start when absent, never changed when present."""

import ipaddress
import uuid

from lab.kube.objects import now

from .auth.roles import default_objects
from .context import Api
from .storage.record import Key, Object

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_ENDPOINTS = {"endpointslice.kubernetes.io/skip-mirror": "true"}


def bootstrap(api: Api) -> None:
    for name in NAMESPACES:
        _ensure(api, "v1", "namespaces", {"kind": "Namespace", "metadata": {"name": name}})
    for obj in default_objects():
        plural = obj["kind"].lower() + "s"
        _ensure(api, "rbac.authorization.k8s.io/v1", plural, obj)
    _kubernetes_service(api)


def _ensure(api: Api, api_version: str, plural: str, obj: Object) -> None:
    group, _, version = api_version.rpartition("/")
    resource = api.registry.find(group, version, plural)
    assert resource is not None, plural
    meta = obj["metadata"]
    key = Key(resource.prefix, meta.get("namespace", ""), meta["name"])
    if api.store.get(key) is not None:
        return
    obj = {"apiVersion": api_version, **obj}
    meta["uid"], meta["creationTimestamp"] = str(uuid.uuid4()), now()
    if resource.counts_generation:
        meta["generation"] = 1
    resource.default(obj)
    api.store.put(key, obj, 0)


def _kubernetes_service(api: Api) -> None:
    first = str(ipaddress.ip_network(api.settings.service_cidr)[1])
    labels = {"component": "apiserver", "provider": "kubernetes"}
    place = {"name": "kubernetes", "namespace": "default"}
    spec: Object = {
        "type": "ClusterIP",
        "clusterIP": first,
        "clusterIPs": [first],
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
    }
    _ensure(api, "v1", "services", {"kind": "Service", "metadata": {**place, "labels": labels}, "spec": spec})
    if api.settings.kubernetes_endpoint is not None:
        _kubernetes_endpoints(api, *api.settings.kubernetes_endpoint)


def _kubernetes_endpoints(api: Api, address: str, port: int) -> None:
    """These follow the server's address, so they are rewritten when it differs."""
    meta = {"name": "kubernetes", "namespace": "default", "labels": dict(_ENDPOINTS)}
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    subsets = [{"addresses": [{"ip": address}], "ports": ports}]
    _replace(api, "v1", "endpoints", {"kind": "Endpoints", "metadata": meta, "subsets": subsets})
    labels = {"kubernetes.io/service-name": "kubernetes"}
    _replace(
        api,
        "discovery.k8s.io/v1",
        "endpointslices",
        {
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": ports,
        },
    )


def _replace(api: Api, api_version: str, plural: str, obj: Object) -> None:
    group, _, _ = api_version.rpartition("/")
    key = Key(f"{group}/{plural}", obj["metadata"]["namespace"], obj["metadata"]["name"])
    record = api.store.get(key)
    if record is None:
        _ensure(api, api_version, plural, obj)
        return
    current = record.copy()
    wanted = {k: v for k, v in obj.items() if k != "metadata"}
    if any(current.get(k) != v for k, v in wanted.items()):
        api.store.put(key, {**current, **wanted}, record.revision)
