"""patch: JSON patch, merge patch, strategic merge patch and server-side apply, by content type."""

import json
from typing import Any

import jsonpatch
import jsonpointer

from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import Cause, StatusError, bad_request, invalid, unsupported_media_type
from lab.pocket.apiserver.http.body import decode, media_type
from lab.pocket.apiserver.patching.merge import merge_patch
from lab.pocket.apiserver.patching.strategic import strategic_merge
from lab.pocket.apiserver.patching.upstream import type_of_object
from lab.pocket.apiserver.storage.record import Object

from .apply import apply
from .options import APPLY
from .update import Edit, edit

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_ACCEPTED = (JSON_PATCH, MERGE, STRATEGIC, APPLY)


async def patch(api: Api, call: Call) -> Answer:
    kind = media_type(call.content_type)
    if kind not in _ACCEPTED or (kind == STRATEGIC and call.resource.custom):
        raise unsupported_media_type([k for k in _ACCEPTED if k != STRATEGIC or not call.resource.custom])
    body = decode(call.body, call.content_type)
    if kind == APPLY:
        return await apply(api, call, body)
    return Answer(
        await edit(api, call, Edit(lambda current: patched(call, kind, current, body))),
        resource=call.resource,
    )


def patched(call: Call, kind: str, current: Object, body: Any) -> Object:
    """`current` with the patch applied; the pinned revision (if the patch names one) stays in it."""
    if kind == JSON_PATCH:
        result = json_patched(call, current, body)
    elif not isinstance(body, dict):
        raise bad_request(f"a {kind} body must be an object")
    elif kind == MERGE:
        result = merge_patch(current, body)
    else:
        result = strategic_merge(current, body, type_of_object(current))
    if not isinstance(result, dict):
        raise bad_request("the patch does not leave an object")
    return result


def json_patched(call: Call, current: Object, operations: Any) -> Any:
    if not isinstance(operations, list):
        raise bad_request("a JSON patch must be a list of operations")
    try:
        return jsonpatch.apply_patch(current, operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise _refused(call, operations, error) from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise bad_request(f"the JSON patch cannot be applied: {error}") from error


def _refused(call: Call, operations: Any, error: Exception) -> StatusError:
    if isinstance(error, jsonpatch.InvalidJsonPatch):
        return bad_request(f"the JSON patch is malformed: {error}")
    cause = Cause("patch", f"Invalid value: {json.dumps(operations)}: {error}")
    return invalid(call.resource.target(call.name), [cause])
