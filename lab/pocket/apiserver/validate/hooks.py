"""Validation of webhook configurations, with upstream's messages. Pure."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from lab.pocket.apiserver.admission.webhook_conditions import wrong_conditions
from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .rules import duplicate

Object = dict[str, Any]

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_VERSIONS = ("v1", "v1beta1")
_ALLOWED = {
    "failurePolicy": ("Fail", "Ignore"),
    "matchPolicy": ("Equivalent", "Exact"),
    "reinvocationPolicy": ("IfNeeded", "Never"),
}
_LONGEST = 30  # seconds
_NAME_TEXT = "should be a domain with at least three segments separated by dots"


def webhooks(obj: Object, old: Object | None) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or []):
        at = f"webhooks[{index}]"
        name = str(hook.get("name") or "")
        if name in names:
            causes.append(duplicate(f"{at}.name", name))
        names.add(name)
        causes += _hook(hook, at)
    return causes


def _hook(hook: Object, at: str) -> Iterator[Cause]:
    name = str(hook.get("name") or "")
    if not name:
        yield required(f"{at}.name")
    elif name.count(".") < 2:
        yield invalid_value(f"{at}.name", name, _NAME_TEXT)
    for index, rule in enumerate(hook.get("rules") or []):
        yield from _rule(rule, f"{at}.rules[{index}]")
    for field, values in _ALLOWED.items():
        if hook.get(field) is not None and hook[field] not in values:
            yield unsupported_value(f"{at}.{field}", hook[field], values)
    effects = hook.get("sideEffects")
    if effects is None:
        yield required(f"{at}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    elif effects not in _SIDE_EFFECTS:
        yield unsupported_value(f"{at}.sideEffects", effects, _SIDE_EFFECTS)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= _LONGEST:
        text = f"the timeout value must be between 1 and {_LONGEST} seconds"
        yield invalid_value(f"{at}.timeoutSeconds", seconds, text)
    versions = hook.get("admissionReviewVersions") or []
    if not versions:
        yield required(f"{at}.admissionReviewVersions", f"must specify one of {', '.join(_VERSIONS)}")
    elif "v1" not in versions:
        yield invalid_value(f"{at}.admissionReviewVersions", versions, "must include v1, which is sent")
    yield from wrong_conditions(hook.get("matchConditions") or [], f"{at}.matchConditions")
    yield from _client(hook.get("clientConfig") or {}, f"{at}.clientConfig")


def _rule(rule: Object, at: str) -> Iterator[Cause]:
    for field in ("operations", "apiGroups", "apiVersions", "resources"):
        values = rule.get(field) or []
        if not values:
            yield required(f"{at}.{field}")
        if len(values) > 1 and "*" in values and field != "resources":
            yield invalid_value(f"{at}.{field}", values, "if '*' is present, must not specify others")
    for index, operation in enumerate(rule.get("operations") or []):
        if operation not in _OPERATIONS:
            yield unsupported_value(f"{at}.operations[{index}]", operation, _OPERATIONS)


def _client(config: Object, at: str) -> Iterator[Cause]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield required(at, "exactly one of url or service is required")
    elif service is not None:
        for field in ("name", "namespace"):
            if not service.get(field):
                yield required(f"{at}.service.{field}")
    else:
        yield from _url(str(url), f"{at}.url")


def _url(url: str, at: str) -> Iterator[Cause]:
    form = "desired format: https://host[/path]"
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield invalid_value(at, parts.scheme, f"'https' is the only allowed URL scheme; {form}")
    if not parts.netloc:
        yield invalid_value(at, parts.netloc, f"host must be specified; {form}")
    if parts.username:
        yield invalid_value(at, parts.username, "user information is not permitted in the URL")
    if parts.fragment:
        yield invalid_value(at, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield invalid_value(at, parts.query, "query parameters are not permitted in the URL")
