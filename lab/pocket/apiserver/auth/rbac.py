"""What a user may do: RBAC evaluated on the stored roles and bindings.

Members of system:masters may do everything. Bindings are read from the store at each question, so a
change counts for the very next request; parsed grants are kept per binding revision.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.pocket.apiserver.errors import StatusError, forbidden
from lab.pocket.apiserver.storage.record import Key
from lab.pocket.apiserver.storage.store import Store

from .authenticate import User

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Question:
    """One access check; `path` is set for non-resource requests."""

    verb: str
    group: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def resource(self) -> str:
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def question_of(call: "Call") -> Question:
    # A named Namespace is looked at as if it lay in itself, so that a Role there can allow it.
    own = call.name if (call.resource.group, call.resource.plural) == ("", "namespaces") else ""
    return Question(
        call.verb,
        call.resource.group,
        call.resource.plural,
        call.subresource,
        call.namespace or own,
        call.name or _selected_name(call),
    )


def _selected_name(call: "Call") -> str:
    """The name a list or watch is narrowed to: upstream lets `resourceNames` rules allow exactly those."""
    for term in call.query.get("fieldSelector", "").split(","):
        path, _, value = term.replace("==", "=").partition("=")
        if path.strip() == "metadata.name" and call.verb in ("list", "watch"):
            return value.strip()
    return ""


class Authorizer:
    def __init__(self, store: Store) -> None:
        self._store = store

    def allowed(self, user: User, question: Question) -> bool:
        if "system:masters" in user.groups:
            return True
        return any(_rule_allows(rule, question) for rule in self.rules(user, question.namespace))

    def rules(self, user: User, namespace: str) -> Iterator[Object]:
        """Every rule that binds the user, cluster-wide or in the namespace."""
        for record in self._store.iterate(f"{GROUP}/clusterrolebindings"):
            if _binds(record.obj, user, ""):
                yield from self.role_rules(record.obj.get("roleRef") or {}, "") or ()
        if not namespace:
            return
        for record in self._store.iterate(f"{GROUP}/rolebindings", namespace):
            if _binds(record.obj, user, namespace):
                yield from self.role_rules(record.obj.get("roleRef") or {}, namespace) or ()

    def role_rules(self, reference: Object, namespace: str) -> list[Object] | None:
        """The rules of the role that a roleRef names; None when there is no such role."""
        if reference.get("kind") == "Role":
            key = Key(f"{GROUP}/roles", namespace, reference.get("name", ""))
        else:
            key = Key(f"{GROUP}/clusterroles", "", reference.get("name", ""))
        role = self._store.get(key)
        return (role.obj.get("rules") or []) if role else None

    def require(self, user: User, call: "Call") -> None:
        question = question_of(call)
        if not self.allowed(user, question):
            raise denied(user, question)

    def require_path(self, user: User, verb: str, path: str) -> None:
        question = Question(verb, path=path)
        if not self.allowed(user, question):
            raise denied(user, question)


def denied(user: User, question: Question) -> StatusError:
    from lab.pocket.apiserver.errors import Target

    if question.path:
        message = f'forbidden: User "{user.name}" cannot {question.verb} path "{question.path}"'
        return StatusError(403, "Forbidden", message, {})
    where = f'in the namespace "{question.namespace}"' if question.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {question.verb} resource "{question.resource}" '
        f'in API group "{question.group}" {where}'
    )
    return forbidden(Target(question.plural, question.group, question.name), why)


def _binds(binding: Object, user: User, namespace: str) -> bool:
    return any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or [])


def _is_subject(subject: Object, user: User, namespace: str) -> bool:
    name = subject.get("name")
    match subject.get("kind"):
        case "User":
            return name == user.name
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{home}:{name}"
        case _:
            return False


def _rule_allows(rule: Object, question: Question) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and question.verb not in verbs:
        return False
    if question.path:
        return any(_path_matches(p, question.path) for p in rule.get("nonResourceURLs") or ())
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and question.group not in groups:
        return False
    if not _resource_matches(rule.get("resources") or (), question):
        return False
    names = rule.get("resourceNames") or ()
    return not names or question.name in names


def _resource_matches(resources: Any, question: Question) -> bool:
    if "*" in resources or question.resource in resources:
        return True
    return bool(question.subresource) and f"*/{question.subresource}" in resources


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))
