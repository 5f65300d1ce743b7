"""What holds for the metadata of every object: labels, annotations, owners, finalizers. Pure."""

from collections.abc import Iterator
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value

from .names import label_value_problems, qualified_name_problems

Object = dict[str, Any]

ANNOTATIONS_LIMIT = 256 * 1024  # bytes, keys and values together
_FINALIZERS = ("foregroundDeletion", "orphan")


def metadata(obj: Object) -> list[Cause]:
    """Everything wrong with an object's metadata but its name."""
    meta = obj.get("metadata") or {}
    return [*_labels(meta), *_annotations(meta), *_owners(meta), *_finalizers(meta)]


def _labels(meta: Object) -> Iterator[Cause]:
    for key, value in (meta.get("labels") or {}).items():
        for problem in qualified_name_problems(key):
            yield invalid_value("metadata.labels", key, problem)
        for problem in label_value_problems(value):
            yield invalid_value("metadata.labels", value, problem)


def _annotations(meta: Object) -> Iterator[Cause]:
    found = meta.get("annotations") or {}
    for key in found:
        for problem in qualified_name_problems(key.lower()):
            yield invalid_value("metadata.annotations", key, problem)
    size = sum(len((key + value).encode("utf-8", "surrogatepass")) for key, value in found.items())
    if size > ANNOTATIONS_LIMIT:
        text = f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
        yield Cause("metadata.annotations", text, "FieldValueTooLong")


def _owners(meta: Object) -> Iterator[Cause]:
    owners = meta.get("ownerReferences") or []
    controller = ""
    for owner in owners:
        if not isinstance(owner, dict):
            yield invalid_value("metadata.ownerReferences", owner, "must be an object")
            continue
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                text = "version must not be empty" if name == "apiVersion" else "must not be empty"
                yield invalid_value(f"metadata.ownerReferences.{name}", owner.get(name) or "", text)
        if owner.get("controller") is True:
            current = f"{owner.get('kind')}/{owner.get('name')}"
            if controller:
                text = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {current}"
                )
                yield invalid_value("metadata.ownerReferences", owners, text)
            controller = controller or current


def _finalizers(meta: Object) -> Iterator[Cause]:
    found = meta.get("finalizers") or []
    for name in found:
        for problem in qualified_name_problems(name):
            yield invalid_value("metadata.finalizers", name, problem)
    if set(_FINALIZERS) <= {name for name in found if isinstance(name, str)}:
        text = f"finalizer {_FINALIZERS[1]} and {_FINALIZERS[0]} cannot be both set"
        yield invalid_value("metadata.finalizers", found, text)
