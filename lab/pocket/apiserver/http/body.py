"""Request bodies: size limit, media type, JSON, YAML or protobuf to a value.

Whatever the format, what comes out can be kept and served as JSON and be walked by recursion: at most
DEPTH levels, numbers finite, whole ones in 64 bits, text without lone surrogates (as Go decodes them).
"""

import json
import math
import re
from typing import Any

from lab.pocket.apiserver.errors import StatusError, bad_request, unsupported_media_type
from lab.pocket.apiserver.http import protobuf, yaml_body

Object = dict[str, Any]

LIMIT = 3 * 1024 * 1024
DEPTH = 100
"""Levels of nesting; objects that people write have some twenty."""
ACCEPTED = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
JSON = ("application/json", "")
YAML = ("application/yaml", "application/x-yaml", "text/yaml", "application/apply-patch+yaml")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def decode(body: bytes, content_type: str) -> Any:
    """The value in the body. Raises 415 for other formats (CBOR) and 400 for broken ones."""
    kind = media_type(content_type)
    try:
        if kind in YAML:
            value = _from_json(json.dumps(yaml_body.load(body, DEPTH), allow_nan=False))
        elif kind in JSON or kind.endswith("+json"):
            value = _from_json(body.decode())
        elif kind == protobuf.MEDIA_TYPE:
            value = protobuf.decode(body)
        else:
            raise unsupported_media_type(ACCEPTED)
    except (ValueError, TypeError, RecursionError) as error:
        what = (
            "error converting YAML to JSON" if kind in YAML else "couldn't get version/kind; json parse error"
        )
        raise bad_request(f"{what}: {error}") from error
    if _is_deeper(value, DEPTH):
        raise bad_request(f"the body is nested deeper than {DEPTH} levels")
    return value


def _from_json(text: str) -> Any:
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
    return _readable(value) if _SURROGATE.search(text) else value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number {text} is out of range")
    return number


def _whole(text: str) -> int | float:
    """Beyond 64 bits a number is a float, as Go reads it where no field says otherwise."""
    if len(text) < 19:
        return int(text)
    return number if -(1 << 63) <= (number := int(text)) < 1 << 63 else _finite(text)


def _readable(value: Any) -> Any:
    """Lone surrogates have no UTF-8 form; they become U+FFFD."""
    if isinstance(value, dict):
        return {_readable(name): _readable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_readable(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Any:
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (inner for inner in found if isinstance(inner, dict | list))


def decode_object(body: bytes, content_type: str) -> Object:
    """The body as an object with apiVersion and kind still unchecked."""
    if not body.strip():
        raise bad_request("the body of the request is empty; an object is required")
    value = decode(body, content_type)
    if not isinstance(value, dict):
        raise StatusError(400, "BadRequest", f"the body must be an object, found {type(value).__name__}")
    return value
