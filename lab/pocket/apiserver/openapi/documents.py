"""OpenAPI documents per group and version (v3), and as one (v2), made on demand and kept as bytes.

Built-in kinds come from derived schemas, custom ones from their definitions.
"""

import hashlib
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lab.base.state import lab_home
from lab.pocket.apiserver.errors import not_acceptable, unknown_path
from lab.pocket.apiserver.patching import upstream
from lab.pocket.apiserver.resources.model import Resource

from . import paths
from .schemas import Schemas, model_of

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Settings
    from lab.pocket.apiserver.resources.registry import Registry

Object = dict[str, Any]
_REF = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class Documents:
    def __init__(self, settings: "Settings", registry: "Registry") -> None:
        self._registry = registry
        self.schemas = Schemas(settings.cache or lab_home() / ".cache", registry)
        self._made: dict[str, bytes] = {}
        self._generation = -1

    async def serve(self, path: str, request: web.BaseRequest) -> web.StreamResponse:
        if self._generation != self._registry.generation:
            self._made.clear()
            self._generation = self._registry.generation
        if path == "/openapi/v3":
            return _json(json.dumps({"paths": self._index()}).encode())
        if path == "/openapi/v2":
            accept = request.headers.get("Accept", "*/*")
            if not any(word in accept for word in ("json", "*/*", "application/*")):
                raise not_acceptable(["application/json"])
        if path not in self._made:
            self._made[path] = json.dumps(await self._document(path), separators=(",", ":")).encode()
        return _json(self._made[path])

    def _index(self) -> Object:
        found = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                rows = [r for r in self._registry.all() if (r.group, r.version) == (group, version)]
                text = json.dumps([[r.kind, r.schema.raw if r.schema else ""] for r in rows])
                digest = hashlib.sha256(text.encode()).hexdigest()[:32].upper()
                found[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
        return found

    async def _document(self, path: str) -> Object:
        if path == "/openapi/v2":
            rows = self._registry.all()
        else:
            parts = path.removeprefix("/openapi/v3/").split("/")
            group, version = (parts[1], parts[2]) if len(parts) == 3 else ("", parts[-1])
            rows = [r for r in self._registry.all() if (r.group, r.version) == (group, version)]
        if not rows:
            raise unknown_path()
        document = build(rows, await self.schemas.full())
        return as_v2(document) if path == "/openapi/v2" else document


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


def as_v2(document: Object) -> Object:
    """The same in OpenAPI v2 words: definitions instead of components, body parameters."""
    text = json.dumps(document["components"]["schemas"]).replace(_REF, "#/definitions/")
    found: Object = {}
    for path, item in document["paths"].items():
        found[path] = {}
        for method, operation in item.items():
            kept = {k: v for k, v in operation.items() if k not in ("requestBody", "responses")}
            kept["parameters"] = [
                {"name": p["name"], "in": "query", "type": "string", "uniqueItems": True}
                for p in operation["parameters"]
            ]
            kept["responses"] = {"200": {"description": "OK"}}
            found[path][method] = kept
    return {
        "swagger": "2.0",
        "info": document["info"],
        "paths": found,
        "definitions": json.loads(text),
    }


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": "application/json"})
