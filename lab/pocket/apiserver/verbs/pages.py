"""Pages of lists: the continue token, and where the next page starts. Pure.

A token says at which revision the list began and after which object it goes on, as upstream's does. When
that revision is gone, the error carries a token that goes on without the promise of one state.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from lab.pocket.apiserver.errors import StatusError, bad_request, expired
from lab.pocket.apiserver.storage.record import Record

Start = tuple[str, str]  # namespace and name of the last object shown
_VERSION = "meta.k8s.io/v1"
_LATEST = -1
_GONE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)


def cut(found: Sequence[Record], limit: int, revision: int) -> tuple[Sequence[Record], str]:
    """The first page, and the token for the next one: empty when there is none."""
    if not limit or len(found) <= limit:
        return found, ""
    last = found[limit - 1].key
    return found[:limit], _token((last.namespace, last.name), revision)


def restart(start: Start) -> StatusError:
    """The error for a list whose revision is gone."""
    error = expired(_GONE)
    error.metadata["continue"] = _token(start, _LATEST)
    return error


def _token(start: Start, revision: int) -> str:
    text = json.dumps({"v": _VERSION, "rv": revision, "start": "/".join(start) + "\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse(token: str) -> tuple[Start, int]:
    """Where to go on and at which revision, negative for the latest. Raises 400 for what is no token."""
    try:
        value: Any = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, slash, name = str(value["start"]).removesuffix("\0").partition("/")
        if value["v"] != _VERSION or not slash or not int(value["rv"]):
            raise ValueError
        return (namespace, name), int(value["rv"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise bad_request("continue key is not valid") from error
