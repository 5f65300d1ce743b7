"""Request paths and methods as the Kubernetes API words them: resource, name, subresource, verb. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
CONNECT = ("exec", "attach", "portforward", "proxy")


@dataclass(frozen=True)
class ResourcePath:
    """`/apis/apps/v1/namespaces/x/deployments/y/scale`, taken apart."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def parse(path: str) -> ResourcePath | None:
    """None when the path is not that of a resource (discovery, health, OpenAPI …)."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, tail = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, tail = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if tail[0] == "namespaces" and len(tail) >= 3 and (group or tail[2] not in ("status", "finalize")):
        namespace, tail = unquote(tail[1]), tail[2:]
    name = unquote(tail[1]) if len(tail) > 1 else ""
    subresource = tail[2] if len(tail) > 2 else ""
    rest = "/".join(tail[3:])
    return ResourcePath(group, version, tail[0], namespace, name, subresource, rest)


def verb_of(method: str, path: ResourcePath, query: Mapping[str, str]) -> str:
    """The RBAC verb of a request, "" for methods that mean nothing here."""
    verb = _VERBS.get(method, "")
    if path.subresource in CONNECT and verb:
        return _connect_verb(method, path.subresource)
    if path.name:
        watching = query.get("watch", "") in ("1", "true") and verb == "get" and not path.subresource
        return "watch" if watching else verb
    if verb == "get":
        return "watch" if query.get("watch", "0") in ("1", "true", "True", "") else "list"
    return "deletecollection" if verb == "delete" else verb


def _connect_verb(method: str, subresource: str) -> str:
    if subresource == "proxy":
        return _VERBS[method]
    return "create"  # as kubectl's WebSocket GET is authorized upstream since 1.35, and POST always was
