"""Discovery: the served groups, versions and resources, plain and aggregated. Pure over the registry."""

import base64
import hashlib
from typing import Any

from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.registry import Registry

Object = dict[str, Any]

_CONNECT_VERBS = {
    "log": ["get"],
    "exec": ["create", "get"],
    "attach": ["create", "get"],
    "portforward": ["create", "get"],
    "proxy": ["create", "delete", "get", "patch", "update"],
    "eviction": ["create"],
    "binding": ["create"],
    "token": ["create"],
    "finalize": ["update"],
}
_STATUS_VERBS = ["get", "patch", "update"]
_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "binding": ("", "v1", "Binding"),
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}


def _kind(resource: Resource, subresource: str) -> tuple[str, str, str]:
    if subresource == "proxy":
        return ("", "v1", f"{resource.kind}ProxyOptions")
    return _KINDS.get(subresource, (resource.group, resource.version, resource.kind))


def versions() -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    }


def group(registry: Registry, name: str) -> Object | None:
    found = registry.groups().get(name)
    if not found:
        return None
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def groups(registry: Registry) -> Object:
    names = [name for name in registry.groups() if name]
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group(registry, name) for name in names],
    }


def resources(registry: Registry, name: str, version: str) -> Object | None:
    rows = [r for r in registry.all() if (r.group, r.version) == (name, version)]
    if not rows:
        return None
    listed = [entry for row in sorted(rows, key=lambda row: row.plural) for entry in _entries(row)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{name}/{version}" if name else version,
        "resources": listed,
    }


def _entries(row: Resource) -> list[Object]:
    main: Object = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": sorted(row.verbs),
    }
    if row.short:
        main["shortNames"] = list(row.short)
    if row.categories:
        main["categories"] = list(row.categories)
    if "get" in row.verbs:
        main["storageVersionHash"] = storage_hash(row)
    found = [main]
    for sub in sorted(row.subresources):
        group_name, version, kind = _kind(row, sub)
        entry: Object = {
            "name": f"{row.plural}/{sub}",
            "singularName": "",
            "namespaced": row.namespaced,
            "kind": kind,
            "verbs": _CONNECT_VERBS.get(sub, _STATUS_VERBS),
        }
        if (group_name, version) != (row.group, row.version):
            entry.update(group=group_name, version=version)
        found.append(entry)
    return found


def storage_hash(row: Resource) -> str:
    """Equal for all versions that are stored as one; upstream computes it the same way."""
    group, _, version = row.stored_api_version.rpartition("/")
    text = f"{group}/{version}/{row.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def aggregated(registry: Registry, *, core: bool, api_version: str) -> Object:
    """apidiscovery.k8s.io APIGroupDiscoveryList for /api (core) or /apis (all others)."""
    items = []
    for name, found in registry.groups().items():
        if bool(name) == core:
            continue
        entries = [
            {
                "version": version,
                "resources": [
                    _aggregated_entry(row)
                    for row in sorted(registry.all(), key=lambda row: row.plural)
                    if (row.group, row.version) == (name, version)
                ],
                "freshness": "Current",
            }
            for version in found
        ]
        items.append({"metadata": {"name": name, "creationTimestamp": None}, "versions": entries})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{api_version}",
        "metadata": {},
        "items": items,
    }


def _response_kind(group_name: str, version: str, kind: str) -> Object:
    return {"group": group_name, "version": version, "kind": kind}


def _aggregated_entry(row: Resource) -> Object:
    entry: Object = {
        "resource": row.plural,
        "responseKind": _response_kind(row.group, row.version, row.kind),
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": sorted(row.verbs),
    }
    if row.short:
        entry["shortNames"] = list(row.short)
    if row.categories:
        entry["categories"] = list(row.categories)
    if row.subresources:
        entry["subresources"] = [
            {
                "subresource": sub,
                "responseKind": _response_kind(*_kind(row, sub)),
                "verbs": _CONNECT_VERBS.get(sub, _STATUS_VERBS),
            }
            for sub in sorted(row.subresources)
        ]
    return entry
