"""Readers of Kubernetes objects, which everywhere in the lab are plain dicts as they came over the wire.

Pure. A missing part reads as empty, as the API's own semantics have it.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" for cluster-scoped objects) and name."""


def meta(obj: Object) -> dict[str, Any]:
    return obj.get("metadata") or {}


def name(obj: Object) -> str:
    return str(meta(obj).get("name", ""))


def namespace(obj: Object) -> str:
    return str(meta(obj).get("namespace", ""))


def key(obj: Object) -> Key:
    return namespace(obj), name(obj)


def uid(obj: Object) -> str:
    return str(meta(obj).get("uid", ""))


def resource_version(obj: Object) -> str:
    return str(meta(obj).get("resourceVersion", ""))


def labels(obj: Object) -> dict[str, str]:
    return meta(obj).get("labels") or {}


def annotations(obj: Object) -> dict[str, str]:
    return meta(obj).get("annotations") or {}


def spec(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def status(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def is_deleting(obj: Object) -> bool:
    return bool(meta(obj).get("deletionTimestamp"))


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference that is marked as the managing controller."""
    return next((ref for ref in meta(obj).get("ownerReferences") or [] if ref.get("controller")), None)


def owner_reference(owner: Object) -> dict[str, Any]:
    """A reference that makes `owner` the managing controller of another object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def compact(obj: Object) -> Object:
    """A copy that takes a third of the memory, for objects that are kept.

    Its keys are shared with all others; managedFields, which an update may leave out, is gone.
    """
    kept: Object = _shared_keys(obj)
    meta(kept).pop("managedFields", None)
    return kept


def _shared_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(key): _shared_keys(inner) for key, inner in value.items()}
    return [_shared_keys(inner) for inner in value] if isinstance(value, list) else value


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    return next((c for c in status(obj).get("conditions") or [] if c.get("type") == kind), None)


def is_condition_true(obj: Object, kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found.get("status") == "True"


def is_pod_ready(pod: Object) -> bool:
    """Ready to receive traffic: Ready is True and the pod is not on its way out."""
    return is_condition_true(pod, "Ready") and not is_deleting(pod)


def now() -> str:
    """The current time as Kubernetes writes metav1.Time."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_micro() -> str:
    """The current time as Kubernetes writes metav1.MicroTime (leases, events)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """A metav1.Time or MicroTime as an aware datetime."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def content_hash(value: Any) -> str:
    """Sixteen hex digits that change exactly when the JSON value does."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
