"""Everything that is not a resource: health, version, discovery and OpenAPI documents."""

import platform

from aiohttp import web

from lab.pocket.apiserver.auth.authenticate import User
from lab.pocket.apiserver.context import Answer, Api
from lab.pocket.apiserver.errors import not_acceptable, unknown_path

from . import discovery
from .negotiate import OFFERED, PLAIN, Shape, shapes
from .respond import dump, respond, unless_known

GIT_VERSION = "v1.34.0+lab"
_PROBES = ("healthz", "livez", "readyz")
_CHECKS = ("etcd", "ping")
"""Named as upstream's, for those who ask for one; the store is what etcd is there."""
_DISCOVERY_VERSIONS = ("v2", "v2beta1")


def version() -> dict[str, str]:
    return {
        "major": "1",
        "minor": "34",
        "gitVersion": GIT_VERSION,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "cpython",
        "platform": f"linux/{'arm64' if platform.machine() == 'aarch64' else 'amd64'}",
    }


async def serve(api: Api, user: User, request: web.BaseRequest) -> web.StreamResponse:
    path = request.rel_url.path.rstrip("/") or "/"
    api.authorizer.require_path(user, request.method.lower(), path)
    if request.method not in ("GET", "HEAD"):
        raise unknown_path()
    if path.split("/")[1] in _PROBES:
        return _health(path, request)
    if path == "/version":
        return _json(version())
    if path == "/":
        return _json({"paths": _paths(api)})
    if path.startswith("/openapi/"):
        return await api.documents.serve(path, request)
    if path == "/.well-known/openid-configuration":
        return _json({"issuer": "https://kubernetes.default.svc.cluster.local"})
    return _discovery(api, path, request)


def _paths(api: Api) -> list[str]:
    found = {"/api", "/apis", "/version", "/openapi/v2", "/openapi/v3", "/.well-known/openid-configuration"}
    for group, versions in api.registry.groups().items():
        root = f"/apis/{group}" if group else "/api"
        found |= {root, *(f"{root}/{version}" for version in versions)}
    for probe in _PROBES:
        found |= {f"/{probe}", *(f"/{probe}/{check}" for check in _CHECKS)}
    return sorted(found)


def _health(path: str, request: web.BaseRequest) -> web.Response:
    """A server that answers is well: its store is in the process, and loaded before it listens."""
    probe, _, check = path[1:].partition("/")
    if check and check not in _CHECKS:
        raise unknown_path()
    left_out = request.query.getall("exclude", [])
    lines = [f"[+]{name} {'excluded: ok' if name in left_out else 'ok'}" for name in _CHECKS]
    text = (
        "\n".join([*lines, f"{probe} check passed", ""]) if "verbose" in request.query and not check else "ok"
    )
    return web.Response(
        text=text, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private"}
    )


def _json(body: object, media: str = "application/json") -> web.Response:
    response = web.Response(body=dump(body, "application/json"))
    response.headers["Content-Type"] = media
    return response


def _discovery(api: Api, path: str, request: web.BaseRequest) -> web.StreamResponse:
    accept = request.headers.get("Accept", "")
    offered = shapes(accept) if accept else [PLAIN]
    if path in ("/api", "/apis"):
        for shape in offered:
            if shape.as_kind == "APIGroupDiscoveryList" and shape.version in _DISCOVERY_VERSIONS:
                return unless_known(request, _aggregated(api, path, shape))
    plain = next((shape for shape in offered if not shape.as_kind), None)
    if plain is None:
        raise not_acceptable(OFFERED)
    body = _document(api, path)
    if body is None:
        raise unknown_path()
    return respond(Answer(body), plain, {}, [])


def _aggregated(api: Api, path: str, shape: Shape) -> web.Response:
    body = discovery.aggregated(api.registry, core=path == "/api", api_version=shape.version)
    media = f"application/json;g=apidiscovery.k8s.io;v={shape.version};as=APIGroupDiscoveryList"
    return _json(body, media)


def _document(api: Api, path: str) -> dict[str, object] | None:
    parts = path.strip("/").split("/")
    match parts:
        case ["api"]:
            return discovery.versions()
        case ["apis"]:
            return discovery.groups(api.registry)
        case ["api", version_]:
            return discovery.resources(api.registry, "", version_)
        case ["apis", group]:
            found = discovery.group(api.registry, group)
            return {"kind": "APIGroup", "apiVersion": "v1", **found} if found else None
        case ["apis", group, version_]:
            return discovery.resources(api.registry, group, version_)
        case _:
            return None
