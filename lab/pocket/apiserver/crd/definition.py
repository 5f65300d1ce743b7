"""Validation of CustomResourceDefinitions, with upstream's rules and words. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from lab.base.jsonpath import PathError, steps
from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .shape import misshapen
from .structural import check_schema, forbidden

Object = dict[str, Any]

_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_MIXED = f"may have mixed case, but should otherwise match: {_LABEL_TEXT}"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
_SELECTABLE = ("string", "boolean", "integer")
_MAX_SELECTABLE = 8


def definition(obj: Object, old: Object | None) -> list[Cause]:
    """What is wrong with a definition; a schema that did not change is not looked at again."""
    spec = obj.get("spec") or {}
    causes = [*_names(obj, spec), *_versions(spec), *_conversion(spec)]
    before = {v.get("name"): v for v in ((old or {}).get("spec") or {}).get("versions") or []}
    for index, version in enumerate(_listed(spec)):
        at = f"spec.versions[{index}]"
        causes += [*_columns(version, at), *_subresources(version, at), *_selectable(version, at)]
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            causes.append(required(f"{at}.schema.openAPIV3Schema", "schemas are required"))
        elif schema != _schema_of(before.get(version.get("name"))):
            here = f"{at}.schema.openAPIV3Schema"
            causes += list(misshapen(schema, here)) or check_schema(schema, here)
        if version.get("deprecationWarning") and not version.get("deprecated"):
            text = "can only be set for deprecated versions"
            causes.append(invalid_value(f"{at}.deprecationWarning", version["deprecationWarning"], text))
    return [*causes, *_stored(obj, spec), *_frozen(spec, old)]


def _listed(spec: Object) -> list[Object]:
    return [version for version in spec.get("versions") or [] if isinstance(version, dict)]


def _schema_of(version: Object | None) -> Any:
    return ((version or {}).get("schema") or {}).get("openAPIV3Schema")


def _names(obj: Object, spec: Object) -> Iterator[Cause]:
    names, group = spec.get("names") or {}, str(spec.get("group") or "")
    if not group:
        yield required("spec.group")
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        scope = spec.get("scope") or ""
        allowed = ("Cluster", "Namespaced")
        yield unsupported_value("spec.scope", scope, allowed) if scope else required("spec.scope")
    for field in ("plural", "singular", "kind", "listKind"):
        value = str(names.get(field) or "")
        mixed = field in ("kind", "listKind")
        if not value:
            yield required(f"spec.names.{field}")
        elif not _LABEL.fullmatch(value.lower() if mixed else value):
            yield invalid_value(f"spec.names.{field}", value, _MIXED if mixed else _LABEL_TEXT)
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            if not _LABEL.fullmatch(str(value)):
                yield invalid_value(f"spec.names.{field}[{index}]", value, _LABEL_TEXT)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
    name = (obj.get("metadata") or {}).get("name")
    if group and names.get("plural") and name != f"{names['plural']}.{group}":
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _versions(spec: Object) -> Iterator[Cause]:
    found = _listed(spec)
    names = [str(version.get("name") or "") for version in found]
    for index, name in enumerate(names):
        if not _LABEL.fullmatch(name):
            yield invalid_value(f"spec.versions[{index}].name", name, _LABEL_TEXT)
    if len(set(names)) != len(names):
        yield invalid_value("spec.versions", names, "must contain unique version names")
    if sum(1 for version in found if version.get("storage")) != 1:
        yield invalid_value("spec.versions", names, "must have exactly one version marked as storage version")
    if spec.get("preserveUnknownFields"):
        text = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        yield invalid_value("spec.preserveUnknownFields", True, text)


def _conversion(spec: Object) -> Iterator[Cause]:
    """Webhooks convert nothing here: all versions of an object have one content."""
    conversion = spec.get("conversion") or {}
    strategy = conversion.get("strategy", "None")
    if strategy != "None":
        yield unsupported_value("spec.conversion.strategy", strategy, ("None",))
    elif conversion.get("webhook"):
        text = "should not be set when strategy is not set to Webhook"
        yield forbidden("spec.conversion.webhook", text)


def _columns(version: Object, at: str) -> Iterator[Cause]:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        here = f"{at}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            yield required(f"{here}.name")
        kind, form = column.get("type", ""), column.get("format", "")
        if kind not in _COLUMN_TYPES:
            text = f"must be one of {','.join(_COLUMN_TYPES)}"
            yield invalid_value(f"{here}.type", kind, text) if kind else required(f"{here}.type", text)
        if form and form not in _COLUMN_FORMATS:
            text = f"must be one of {','.join(sorted(_COLUMN_FORMATS))}"
            yield invalid_value(f"{here}.format", form, text)
        if not column.get("jsonPath"):
            yield required(f"{here}.jsonPath")
            continue
        try:
            steps(str(column["jsonPath"]))
        except PathError as error:
            yield invalid_value(f"{here}.jsonPath", column["jsonPath"], str(error))


def _subresources(version: Object, at: str) -> Iterator[Cause]:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return
    for field, under in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        path, here = str(scale.get(field) or ""), f"{at}.subresources.scale.{field}"
        if not path:
            yield required(here)
        elif not path.startswith(under):
            yield invalid_value(here, path, f"should be a json path under {under[:-1]}")
    path = str(scale.get("labelSelectorPath") or ".spec.")
    if not path.startswith((".spec.", ".status.")):
        here = f"{at}.subresources.scale.labelSelectorPath"
        yield invalid_value(here, path, "should be a json path under either .spec or .status")


def _selectable(version: Object, at: str) -> Iterator[Cause]:
    found = version.get("selectableFields") or []
    seen: set[str] = set()
    for index, field in enumerate(found):
        path, here = str(field.get("jsonPath") or ""), f"{at}.selectableFields[{index}].jsonPath"
        shape = _schema_of(version) or {}
        for name in path.lstrip(".").split("."):
            shape = (shape.get("properties") or {}).get(name) or {}
        if not path:
            yield required(here)
        elif path.startswith(".metadata"):
            yield invalid_value(here, path, "must not point to fields in metadata")
        elif not shape:
            yield invalid_value(here, path, "is an invalid path: does not refer to a valid field")
        elif shape.get("type") not in _SELECTABLE:
            text = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings "
                "with formats are allowed."
            )
            yield invalid_value(here, path, text)
        elif path in seen:
            yield Cause(here, f'Duplicate value: "{path}"', "FieldValueDuplicate")
        seen.add(path)
    if len(seen) > _MAX_SELECTABLE:
        text = f"Too many: {len(seen)}: must have at most {_MAX_SELECTABLE} items"
        yield Cause(f"{at}.selectableFields", text, "FieldValueTooMany")


def _stored(obj: Object, spec: Object) -> Iterator[Cause]:
    """A version that objects may be stored in cannot go."""
    known = {version.get("name") for version in _listed(spec)}
    for index, name in enumerate((obj.get("status") or {}).get("storedVersions") or ()):
        if name not in known:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and "
                f"removes {name} from status.storedVersions"
            )
            yield invalid_value(f"status.storedVersions[{index}]", name, text)


def _frozen(spec: Object, old: Object | None) -> Iterator[Cause]:
    before = (old or {}).get("spec") or {}
    pairs: list[tuple[str, ...]] = [("group",), ("names", "plural")]
    conditions = ((old or {}).get("status") or {}).get("conditions") or []
    if any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions):
        pairs += [("scope",), ("names", "kind")]
    for path in pairs if before else ():
        if (new := _dig(spec, path)) != _dig(before, path):
            yield invalid_value(f"spec.{'.'.join(path)}", new, "field is immutable")


def _dig(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = (value or {}).get(step)
    return value
