"""OpenAPI documents per group and version (v3), and as one (v2), made on demand and kept as bytes.

Built-in kinds come from derived schemas, custom ones from their definitions.
"""

import hashlib
import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lab.base.state import lab_home
from lab.pocket.apiserver.errors import unknown_path
from lab.pocket.apiserver.http.negotiate import require_json
from lab.pocket.apiserver.http.respond import unless_known
from lab.pocket.apiserver.patching import upstream
from lab.pocket.apiserver.resources.model import Resource

from . import paths, v2
from .schemas import Schemas, model_of

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Settings
    from lab.pocket.apiserver.resources.registry import Registry

Object = dict[str, Any]
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_REF = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class Documents:
    def __init__(self, settings: "Settings", registry: "Registry") -> None:
        self._registry = registry
        self.schemas = Schemas(settings.cache or lab_home() / ".cache", registry)
        self._made: dict[str, bytes] = {}
        self._generation = -1
        self._listed: tuple[int, Object] | None = None

    async def serve(self, path: str, request: web.BaseRequest) -> web.StreamResponse:
        """`/openapi/v3` lists documents by their hashes, under which they may be kept for good."""
        if self._generation != self._registry.generation:
            self._made.clear()
            self._generation = self._registry.generation
        if path == "/openapi/v2":
            return await self._serve_v2(path, request)
        if path == "/openapi/v3":
            return unless_known(request, _answer(await self._bytes(path)))
        known = self._index().get(path.removeprefix("/openapi/v3/"))
        if known is None:
            raise unknown_path()
        require_json(request.headers.get("Accept", ""))
        url = known["serverRelativeURL"]
        digest = url.rpartition("=")[2]
        asked = request.query.get("hash", "")
        if asked not in ("", digest):
            return web.Response(status=301, headers={"Location": url})
        response = _answer(await self._bytes(path))
        if asked:
            response.headers["Cache-Control"] = "public, immutable"
            response.headers["Expires"] = (datetime.now(UTC) + timedelta(days=365)).strftime(_HTTP_DATE)
        return unless_known(request, response, digest)

    async def _serve_v2(self, path: str, request: web.BaseRequest) -> web.StreamResponse:
        accept = request.headers.get("Accept", "")
        wanted = [item.partition(";")[0].strip() for item in accept.split(",")]
        if any(media in v2.MEDIA_TYPES for media in wanted):
            return unless_known(request, _answer(await self._bytes(f"{path}.pb"), v2.MEDIA_TYPE))
        require_json(request.headers.get("Accept", ""))
        return unless_known(request, _answer(await self._bytes(path)))

    async def _bytes(self, path: str) -> bytes:
        """The document at a path; `.pb` after it is the same as protobuf."""
        if path not in self._made:
            document = await self._document(path.removesuffix(".pb"))
            plain = not path.endswith(".pb")
            self._made[path] = (
                json.dumps(document, separators=(",", ":")).encode() if plain else v2.to_protobuf(document)
            )
        return self._made[path]

    def _index(self) -> Object:
        if not self._listed or self._listed[0] != self._registry.generation:
            self._listed = (self._registry.generation, self._hashes())
        return self._listed[1]

    def _hashes(self) -> Object:
        found = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                rows = [r for r in self._registry.all() if (r.group, r.version) == (group, version)]
                kinds = [[r.kind, *r.subresources, r.schema.raw if r.schema else ""] for r in rows]
                text = json.dumps([self.schemas.path.name, kinds])
                digest = hashlib.sha256(text.encode()).hexdigest()[:32].upper()
                found[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
        return found

    async def _document(self, path: str) -> Object:
        if path == "/openapi/v3":
            return {"paths": self._index()}
        if path == "/openapi/v2":
            rows = self._registry.all()
        else:
            parts = path.removeprefix("/openapi/v3/").split("/")
            group, version = (parts[1], parts[2]) if len(parts) == 3 else ("", parts[-1])
            rows = [r for r in self._registry.all() if (r.group, r.version) == (group, version)]
        document = build(rows, await self.schemas.full())
        return v2.as_v2(document) if path == "/openapi/v2" else document


def build(rows: list[Resource], schemas: dict[str, Object]) -> Object:
    """The v3 document of some rows. Pure."""
    components: dict[str, Object] = {}
    found: Object = {}
    for row in rows:
        if row.schema is not None:
            model = f"{'.'.join(reversed(row.group.split('.')))}.{row.version}.{row.kind}"
            components[model] = _custom(row)
            _close({_META}, schemas, components)
        else:
            model = model_of(row)
            _close({model}, schemas, components)
        kind = {"group": row.group, "version": row.version, "kind": row.kind}
        components[model].setdefault("x-kubernetes-group-version-kind", []).append(kind)
        found.update(paths.of(row, model))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34.0+lab"},
        "paths": found,
        "components": {"schemas": components},
    }


def _custom(row: Resource) -> Object:
    assert row.schema is not None
    schema = deepcopy(row.schema.raw)
    properties = schema.setdefault("properties", {})
    properties["metadata"] = {"allOf": [{"$ref": _REF + _META}]}
    for name in ("apiVersion", "kind"):
        properties.setdefault(name, {"type": "string"})
    return schema


def _close(names: set[str], schemas: dict[str, Object], components: dict[str, Object]) -> None:
    """Add the named schemas and all they refer to, with the merge rules of their lists."""
    queue = [name for name in names if name not in components]
    while queue:
        name = queue.pop()
        if name in components or name not in schemas:
            continue
        schema = components[name] = deepcopy(schemas[name])
        if upstream.field(name, "").atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        for field, shape in (schema.get("properties") or {}).items():
            _mark(shape, upstream.field(name, field))
            queue += _references(shape)


def _mark(shape: Object, rule: upstream.Field) -> None:
    """The merge rules of a field, in the words that clients read."""
    if shape.get("type") != "array":
        if rule.atomic:
            shape["x-kubernetes-map-type"] = "atomic"
    elif rule.keys:
        shape["x-kubernetes-list-type"] = "map"
        shape["x-kubernetes-list-map-keys"] = list(rule.keys)
    else:
        shape["x-kubernetes-list-type"] = "set" if rule.is_set else "atomic"
    strategies = [
        name for name, on in (("merge", rule.merge is not None), ("retainKeys", rule.retain_keys)) if on
    ]
    if strategies:
        shape["x-kubernetes-patch-strategy"] = ",".join(strategies)
    if rule.merge:
        shape["x-kubernetes-patch-merge-key"] = rule.merge


def _references(shape: Object) -> list[str]:
    found = [shape["$ref"][len(_REF) :]] if "$ref" in shape else []
    for inner in (shape.get("items"), shape.get("additionalProperties"), *(shape.get("allOf") or ())):
        if isinstance(inner, dict):
            found += _references(inner)
    return found


def _answer(body: bytes, media: str = "application/json") -> web.Response:
    return web.Response(body=body, headers={"Content-Type": media, "Vary": "Accept"})
