"""The grammar of names, labels and namespaces. Pure."""

import re
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_DNS1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_FREE_KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def is_label_value(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 63 and bool(_LABEL_VALUE.fullmatch(value))


def object_name(kind: str, name: str) -> list[Cause]:
    """What is wrong with `name` as the name of a `kind`."""
    if kind in _FREE_KINDS:  # path segment names: RBAC allows "system:node"
        bad = name in (".", "..") or "/" in name or "%" in name
        return [invalid_value("metadata.name", name, "may not contain '/' or '%'")] if bad else []
    if kind == "Namespace":
        return _check(name, _LABEL, 63, _LABEL_TEXT)
    if kind == "Service":
        return _check(name, _DNS1035, 63, _DNS1035_TEXT)
    return _check(name, _SUBDOMAIN, 253, _SUBDOMAIN_TEXT)


def _check(name: str, pattern: re.Pattern[str], limit: int, text: str) -> list[Cause]:
    if len(name) > limit:
        return [invalid_value("metadata.name", name, f"must be no more than {limit} characters")]
    return [] if pattern.fullmatch(name) else [invalid_value("metadata.name", name, text)]
