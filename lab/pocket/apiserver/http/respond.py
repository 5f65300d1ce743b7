"""Answers in the shape the client asked for: JSON or YAML; object, Table or metadata only."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from aiohttp import web

from lab.pocket.apiserver.context import Answer
from lab.pocket.apiserver.errors import StatusError
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.tables.render import partial, table

from .negotiate import PLAIN, Shape

Object = dict[str, Any]
_WARNING, _WARNINGS = 256, 4096  # characters of one and of all, where upstream cuts too


def shaped(resource: Resource | None, body: Object, shape: Shape, query: Mapping[str, str]) -> Object:
    """`body` as the shape wants it; Status objects stay what they are."""
    if not shape.as_kind or resource is None or body.get("kind") == "Status":
        return body
    is_list = "items" in body and body.get("kind") == resource.list_kind_name
    items = body["items"] if is_list else [body]
    if shape.as_kind == "Table":
        metadata = (
            body["metadata"] if is_list else {"resourceVersion": body["metadata"].get("resourceVersion", "")}
        )
        return table(resource, items, metadata, query.get("includeObject", "Metadata"))
    if not is_list:
        return partial(body)
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": body["metadata"],
        "items": [partial(item) for item in items],
    }


def dump(body: Any, media: str) -> bytes:
    if media == "application/yaml":
        return yaml.safe_dump(body, sort_keys=False).encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def respond(answer: Answer, shape: Shape, query: Mapping[str, str], warnings: Sequence[str]) -> web.Response:
    if answer.raw is not None and shape == PLAIN:
        payload = answer.raw
    else:
        payload = dump(shaped(answer.resource, answer.full(), shape, query), shape.media)
    response = web.Response(body=payload, status=answer.code)
    response.headers["Content-Type"] = shape.media
    response.headers["Cache-Control"] = "no-cache, private"
    _warn(response, warnings)
    return response


def _warn(response: web.Response, warnings: Sequence[str]) -> None:
    """RFC 7234 Warning headers: each text once, on one line, quoted, and as much as clients take in all."""
    left = _WARNINGS
    for text in dict.fromkeys(warnings):
        line = "".join(c if c.isprintable() else "?" for c in text)[:_WARNING]
        left -= len(line)
        if left < 0:
            return
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')


def respond_error(error: StatusError, warnings: Sequence[str] = ()) -> web.Response:
    response = web.Response(body=dump(error.body(), "application/json"), status=error.code)
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-cache, private"
    if retry := error.details.get("retryAfterSeconds"):
        response.headers["Retry-After"] = str(retry)
    _warn(response, warnings)
    return response


def unless_known(request: web.BaseRequest, response: web.Response, etag: str = "") -> web.Response:
    """`response` with its ETag; 304 without a body where the client has just that."""
    body = response.body if isinstance(response.body, bytes) else b""
    response.headers["ETag"] = tag = f'"{etag or hashlib.sha256(body).hexdigest().upper()}"'
    known = [item.strip().removeprefix("W/") for item in request.headers.get("If-None-Match", "").split(",")]
    if tag not in known and "*" not in known:
        return response
    kept = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    return web.Response(status=304, headers=kept)
