"""The derived schemas of built-in kinds: made once per machine by a child process, then read from disk.

`Schemas.get` is what documents.py and the field check use; the server never imports the models.
"""

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from lab.base.process import run
from lab.base.state import make_private
from lab.pocket.apiserver.patching.upstream import type_of
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.registry import Registry

Schema = dict[str, Any]

_FORMAT = 4  # raise it when derive.py makes something else
_TIMEOUT = 60.0
_EXTRA = (
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.core.v1.Binding",
    "io.k8s.api.authentication.v1.TokenRequest",
)


def model_of(resource: Resource) -> str:
    """The name of the schema that describes a built-in kind."""
    return type_of(resource.group, resource.version, resource.kind)


class Schemas:
    def __init__(self, cache: Path, registry: Registry) -> None:
        self._names = sorted({model_of(row) for row in registry.all() if not row.custom} | set(_EXTRA))
        self._cache = cache
        self._lock = asyncio.Lock()
        self.loaded: dict[str, Schema] | None = None  # without descriptions

    @property
    def path(self) -> Path:
        from importlib.metadata import version  # slow to import, and not needed to start

        text = json.dumps([_FORMAT, version("kubernetes"), self._names])
        return self._cache / f"openapi-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"

    async def full(self) -> dict[str, Schema]:
        """All schemas with their descriptions; not kept in memory."""
        async with self._lock:
            if not self.path.exists():
                make_private(self._cache)
                module = "lab.pocket.apiserver.openapi.derive"
                await run([sys.executable, "-m", module, str(self.path), *self._names], timeout=_TIMEOUT)
        found: dict[str, Schema] = json.loads(self.path.read_bytes())
        return found

    async def ready(self) -> dict[str, Schema]:
        if self.loaded is None:
            self.loaded = {name: _bare(schema) for name, schema in (await self.full()).items()}
        return self.loaded


def _bare(schema: Schema) -> Schema:
    """A schema without descriptions, and without the wrapping they need."""
    if schema.get("allOf"):
        return _bare(schema["allOf"][0])
    found = {k: v for k, v in schema.items() if k in ("type", "$ref") or v == "date-time"}
    if "oneOf" in schema:
        found["type"] = [option["type"] for option in schema["oneOf"]]
    for name in ("items", "additionalProperties"):
        if name in schema:
            found[name] = _bare(schema[name])
    if "properties" in schema:
        found["properties"] = {k: _bare(v) for k, v in schema["properties"].items()}
    return found
