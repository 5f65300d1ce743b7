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
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_NAME_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character"
)
_NAME_REGEX = "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'"
_NAME_EXAMPLES = f"(e.g. 'MyName',  or 'my.name',  or '123-abc', {_NAME_REGEX})"
_PREFIXED = "(e.g. 'example.com/MyName')"
_PART, _SUBDOMAIN_LIMIT, _CRON_JOB = 63, 253, 52
_FREE_KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def label_value_problems(value: Any) -> list[str]:
    """What is wrong with the value of a label."""
    if not isinstance(value, str):
        return ["must be a string"]
    problems = [] if len(value) <= _PART else [f"must be no more than {_PART} bytes"]
    return problems if _LABEL_VALUE.fullmatch(value) else [*problems, _LABEL_VALUE_TEXT]


def qualified_name_problems(key: Any) -> list[str]:
    """What is wrong with the key of a label or annotation: an optional DNS prefix, a slash, a name."""
    if not isinstance(key, str):
        return ["must be a string"]
    prefix, slash, name = key.rpartition("/")
    if prefix.count("/"):
        return [f"a qualified name {_NAME_TEXT} with an optional DNS subdomain prefix and '/' {_PREFIXED}"]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash and (len(prefix) > _SUBDOMAIN_LIMIT or not _SUBDOMAIN.fullmatch(prefix)):
        problems.append(f"prefix part {_SUBDOMAIN_TEXT}")
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > _PART:
        problems.append(f"name part must be no more than {_PART} bytes")
    if not _NAME.fullmatch(name):
        problems.append(f"name part {_NAME_TEXT} {_NAME_EXAMPLES}")
    return problems


def object_name(kind: str, name: str) -> list[Cause]:
    """What is wrong with `name` as the name of a `kind`."""
    if kind in _FREE_KINDS:  # path segment names: RBAC allows "system:node"
        if name in (".", ".."):
            return [invalid_value("metadata.name", name, f"may not be '{name}'")]
        bad = [character for character in "/%" if character in name]
        return [invalid_value("metadata.name", name, f"may not contain '{one}'") for one in bad]
    if kind == "Namespace":
        return _check(name, _LABEL, _PART, _LABEL_TEXT)
    if kind == "CronJob" and len(name) > _CRON_JOB:
        return [invalid_value("metadata.name", name, f"must be no more than {_CRON_JOB} characters")]
    if kind == "Service":
        return _check(name, _DNS1035, _PART, _DNS1035_TEXT)
    return _check(name, _SUBDOMAIN, _SUBDOMAIN_LIMIT, _SUBDOMAIN_TEXT)


def _check(name: str, pattern: re.Pattern[str], limit: int, text: str) -> list[Cause]:
    causes = []
    if len(name) > limit:
        causes.append(invalid_value("metadata.name", name, f"must be no more than {limit} bytes"))
    if not pattern.fullmatch(name):
        causes.append(invalid_value("metadata.name", name, text))
    return causes
