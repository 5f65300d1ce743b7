"""Nobody grants what they do not have: the check on writes of roles and bindings, as upstream.

admission/builtin.py calls it. Members of system:masters, and who may `escalate` the role or `bind` to it,
are not checked.
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lab.pocket.apiserver.errors import Target, forbidden, not_found

from .authenticate import User
from .rbac import GROUP, Authorizer, Question

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

Object = dict[str, Any]
ROLES, BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")
_EVERYTHING: list[Object] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
_LISTED = {  # in the order of the message
    "apiGroups": "APIGroups",
    "resources": "Resources",
    "nonResourceURLs": "NonResourceURLs",
    "resourceNames": "ResourceNames",
    "verbs": "Verbs",
}
_COLLECTED = ("finalizers", "managedFields", "ownerReferences", "resourceVersion")


def check(authorizer: Authorizer, call: "Call", obj: Object, old: Object | None) -> None:
    """Raises 403 for a role or binding that gives more than the caller has."""
    user, kind = call.user, call.resource.kind
    if "system:masters" in user.groups or (old is not None and _same(obj, old)):
        return
    name = str(obj["metadata"].get("name", ""))
    if kind in ROLES:
        question = Question("escalate", GROUP, call.resource.plural, "", call.namespace, name)
        rules = obj.get("rules") or []
    else:
        reference = obj.get("roleRef") or {}
        plural = f"{str(reference.get('kind', '')).lower()}s"
        question = Question("bind", GROUP, plural, "", call.namespace, str(reference.get("name", "")))
        rules = _referenced(authorizer, call, reference, plural)
    if authorizer.allowed(user, question):
        return
    held = list(authorizer.rules(user, call.namespace))
    if missing := _missing(held, rules):
        raise forbidden(call.resource.target(name), _told(user, missing))
    aggregates = any((one or {}).get("aggregationRule") for one in (obj, old))
    if kind == "ClusterRole" and aggregates and _missing(held, _EVERYTHING):
        why = "must have cluster-admin privileges to use the aggregationRule"
        raise forbidden(call.resource.target(name), why)


def _referenced(authorizer: Authorizer, call: "Call", reference: Object, plural: str) -> Sequence[Object]:
    rules = authorizer.role_rules(reference, call.namespace)
    if rules is None:
        raise not_found(Target(plural, GROUP, str(reference.get("name", ""))))
    return rules


def _same(obj: Object, old: Object) -> bool:
    """Whether only what the garbage collector needs has changed."""

    def rest(one: Object) -> Object:
        meta = {k: v for k, v in one["metadata"].items() if k not in _COLLECTED}
        return {**one, "metadata": meta}

    return rest(obj) == rest(old)


def _missing(held: Sequence[Object], wanted: Sequence[Object]) -> list[Object]:
    """What of `wanted` no single held rule covers, one resource or path each, verbs together."""
    found: dict[str, Object] = {}
    for verb, about in (pair for rule in wanted for pair in _parts(rule)):
        if not any(_covers(rule, verb, about) for rule in held):
            entry = found.setdefault(json.dumps(about), {**about, "verbs": []})
            if verb not in entry["verbs"]:
                entry["verbs"].append(verb)
    return list(found.values())


def _parts(rule: Object) -> Iterator[tuple[str, Object]]:
    """A rule as its smallest rules: one verb on one resource (and name) or one path."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield verb, {"nonResourceURLs": [path]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                about: Object = {"apiGroups": [group], "resources": [resource]}
                for name in rule.get("resourceNames") or ():
                    yield verb, {**about, "resourceNames": [name]}
                if not rule.get("resourceNames"):
                    yield verb, about


def _covers(rule: Object, verb: str, about: Object) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and verb not in verbs:
        return False
    if paths := about.get("nonResourceURLs"):
        return any(_path_covers(held, paths[0]) for held in rule.get("nonResourceURLs") or ())
    groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
    (group,), (resource,) = about["apiGroups"], about["resources"]
    if "*" not in groups and group not in groups:
        return False
    subresource = resource.partition("/")[2]
    if not {"*", resource, f"*/{subresource}" if subresource else resource} & set(resources):
        return False
    names, wanted = rule.get("resourceNames") or (), about.get("resourceNames")
    return not names or (wanted is not None and wanted[0] in names)


def _path_covers(held: str, path: str) -> bool:
    return held == path or (held.endswith("*") and path.rstrip("*").startswith(held[:-1]))


def _told(user: User, missing: Sequence[Object]) -> str:
    lines = sorted(
        "{" + ", ".join(f"{word}:{_quoted(rule[key])}" for key, word in _LISTED.items() if key in rule) + "}"
        for rule in missing
    )
    return (
        f'user "{user.name}" (groups={_quoted(user.groups)}) is attempting to grant RBAC permissions not '
        "currently held:\n" + "\n".join(lines)
    )


def _quoted(words: Sequence[str]) -> str:
    return "[" + " ".join(json.dumps(word) for word in words) + "]"
