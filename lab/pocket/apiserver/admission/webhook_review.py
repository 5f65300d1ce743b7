"""AdmissionReview: what a webhook is sent, and what its answer means. Pure.

An answer that is not one raises ValueError; what follows is for the webhook's failurePolicy to say.
"""

import base64
import binascii
import copy
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonpatch

from lab.pocket.apiserver.errors import StatusError, internal
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Object

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

    from .pipeline import Change

_API = "admission.k8s.io/v1"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    patch: str
    warnings: tuple[str, ...]
    status: Mapping[str, Any]


def review(call: "Call", change: "Change", row: Resource) -> Object:
    """The review of a change whose objects are in the version of `row`."""
    asked = call.resource
    meta = change.obj.get("metadata") or {}
    gone = change.operation == "DELETE"
    options: Object = {"apiVersion": "meta.k8s.io/v1", "kind": _OPTIONS[change.operation]}
    if call.dry_run:
        options["dryRun"] = ["All"]
    if manager := call.query.get("fieldManager"):
        options["fieldManager"] = manager
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": row.group, "version": row.version, "kind": row.kind},
        "resource": {"group": row.group, "version": row.version, "resource": row.plural},
        "requestKind": {"group": asked.group, "version": asked.version, "kind": asked.kind},
        "requestResource": {"group": asked.group, "version": asked.version, "resource": asked.plural},
        "name": call.name or meta.get("name", ""),
        "namespace": call.namespace or (meta.get("name", "") if asked.plural == "namespaces" else ""),
        "operation": change.operation,
        "userInfo": call.user.info(),
        "object": None if gone else change.obj,
        "oldObject": change.obj if gone else change.old,
        "dryRun": call.dry_run,
        "options": options,
    }
    if call.subresource:
        request |= {"subResource": call.subresource, "requestSubResource": call.subresource}
    return {"apiVersion": _API, "kind": "AdmissionReview", "request": request}


def verdict(answer: Any, asked: Object, *, mutating: bool) -> Verdict:
    """Raises ValueError, saying what is wrong, for an answer that upstream would not take."""
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise ValueError("webhook response was absent")
    uid = asked["request"]["uid"]
    if response.get("uid") != uid:
        raise ValueError(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    if (answer.get("apiVersion"), answer.get("kind")) != (_API, "AdmissionReview"):
        seen = f"{answer.get('apiVersion', '')}, Kind={answer.get('kind', '')}"
        raise ValueError(f"expected webhook response of {_API}, Kind=AdmissionReview, got {seen}")
    patch, kind = response.get("patch") or "", response.get("patchType")
    _check_patch(patch, kind, mutating=mutating)
    return Verdict(
        bool(response.get("allowed")),
        str(patch),
        tuple(str(text) for text in response.get("warnings") or ()),
        response.get("status") or {},
    )


def _check_patch(patch: Any, kind: Any, *, mutating: bool) -> None:
    if not mutating:
        for name, value in (("patch", patch), ("patchType", kind)):
            if value:
                raise ValueError(f"validating webhook may not return response.{name}")
        return
    if patch and kind is None:
        raise ValueError("webhook returned response.patch but not response.patchType")
    if kind is not None and not patch:
        raise ValueError("webhook returned response.patchType but not response.patch")
    if kind not in (None, "JSONPatch"):
        raise ValueError(f'webhook returned invalid response.patchType of "{kind}"')


def patched(obj: Object, patch: str, webhook: str) -> Object:
    """`obj` with a webhook's JSON patch applied. Raises 500: the patch is the webhook's own mistake."""
    try:
        operations = json.loads(base64.b64decode(patch, validate=True))
        found: Object = jsonpatch.apply_patch(copy.deepcopy(obj), operations)
    except (
        ValueError,
        TypeError,
        binascii.Error,
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
    ) as error:
        raise internal(f'admission webhook "{webhook}" sent a patch that does not apply: {error}') from error
    return found


def denied(webhook: str, status: Mapping[str, Any]) -> StatusError:
    """The webhook's own code, reason and words; 400 where it names no code of an error."""
    why = status.get("message") or status.get("reason")
    message = f'admission webhook "{webhook}" denied the request' + (
        f": {why}" if why else " without explanation"
    )
    code = int(status.get("code") or 0)
    return StatusError(
        code if code >= 400 else 400, str(status.get("reason") or ""), message, status.get("details") or {}
    )
