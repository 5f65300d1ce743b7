"""Request bodies: size limit, media type, JSON, YAML or protobuf to an object."""

import json
from typing import Any

import yaml

from lab.pocket.apiserver.errors import StatusError, bad_request, unsupported_media_type
from lab.pocket.apiserver.http import protobuf

Object = dict[str, Any]

LIMIT = 3 * 1024 * 1024
ACCEPTED = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
JSON = ("application/json", "")
YAML = ("application/yaml", "application/x-yaml", "text/yaml", "application/apply-patch+yaml")


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def decode(body: bytes, content_type: str) -> Any:
    """The value in the body. Raises 415 for other formats (CBOR) and 400 for broken ones."""
    kind = media_type(content_type)
    if kind in YAML:
        return _yaml(body)
    if kind in JSON or kind.endswith("+json"):
        return _json(body)
    if kind == protobuf.MEDIA_TYPE:
        return protobuf.decode(body)
    raise unsupported_media_type(ACCEPTED)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _yaml(body: bytes) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = yaml.load(body, Loader=loader)
        return json.loads(json.dumps(value, default=str))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from error


def decode_object(body: bytes, content_type: str) -> Object:
    """The body as an object with apiVersion and kind still unchecked."""
    if not body.strip():
        raise bad_request("the body of the request is empty; an object is required")
    value = decode(body, content_type)
    if not isinstance(value, dict):
        raise StatusError(400, "BadRequest", f"the body must be an object, found {type(value).__name__}")
    return value
