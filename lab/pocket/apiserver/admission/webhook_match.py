"""Which webhooks a change is sent to, and in which version of its kind. Pure but for reading the store.

A rule that names another served version of the same objects matches too, unless the webhook's
matchPolicy is Exact; the webhook then sees the object in the version it asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.kube.selectors import from_label_selector
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.registry import Registry
from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.apiserver.storage.store import Store

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

    from .pipeline import Change

MUTATING = "admissionregistration.k8s.io/mutatingwebhookconfigurations"
VALIDATING = "admissionregistration.k8s.io/validatingwebhookconfigurations"
OWN_GROUP = "admissionregistration.k8s.io"
"""Objects of this group are never sent to webhooks, or a bad one could not be removed."""


@dataclass(frozen=True)
class Hook:
    """One registered webhook; `raw` is its part of the configuration."""

    raw: Object
    mutating: bool

    @property
    def name(self) -> str:
        return str(self.raw["name"])


class Matcher:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def hooks(self, prefix: str, call: "Call") -> Iterator[Hook]:
        """All registered webhooks of a sort, by the names of their configurations."""
        if call.resource.group == OWN_GROUP:
            return
        for record in self._store.list(prefix):
            for raw in record.copy().get("webhooks") or []:
                yield Hook(raw, prefix == MUTATING)

    def wanted(self, hook: Hook, call: "Call", change: "Change") -> Resource | None:
        """The version to send the change in; None when the webhook is not asked."""
        row = self._row(hook.raw, call, change.operation)
        if row is None or not _object_selected(hook.raw, change):
            return None
        labels = self._namespace_labels(call, change)
        selector = from_label_selector(hook.raw.get("namespaceSelector") or {})
        return row if labels is None or selector.matches(labels) else None

    def _row(self, hook: Object, call: "Call", operation: str) -> Resource | None:
        rules = hook.get("rules") or []
        for row in self._versions(call.resource, hook.get("matchPolicy", "Equivalent")):
            if any(_rule_matches(rule, row, call.subresource, operation) for rule in rules):
                return row
        return None

    def _versions(self, asked: Resource, policy: str) -> list[Resource]:
        if policy == "Exact":
            return [asked]
        others = [row for row in self._registry.all() if row.prefix == asked.prefix and row != asked]
        return [asked, *others]

    def _namespace_labels(self, call: "Call", change: "Change") -> Mapping[str, str] | None:
        """Labels of the change's namespace; None for cluster-scoped kinds but Namespace itself."""
        if (call.resource.group, call.resource.plural) == ("", "namespaces"):
            return _labels(change.obj)
        if not call.namespace:
            return None
        record = self._store.get(Key("/namespaces", "", call.namespace))
        return _labels(record.obj) if record else {}


def _labels(obj: Object | None) -> Mapping[str, str]:
    return ((obj or {}).get("metadata") or {}).get("labels") or {}


def _object_selected(hook: Object, change: "Change") -> bool:
    """The old or the new object must match; upstream asks for either."""
    selector = from_label_selector(hook.get("objectSelector") or {})
    return any(selector.matches(_labels(obj)) for obj in (change.obj, change.old) if obj)


def _rule_matches(rule: Mapping[str, Any], row: Resource, subresource: str, operation: str) -> bool:
    names = {row.plural, "*", "*/*"}
    if subresource:
        names = {f"{row.plural}/{subresource}", f"*/{subresource}", f"{row.plural}/*", "*/*"}
    return (
        any(word in ("*", operation) for word in rule.get("operations") or ())
        and any(word in ("*", row.group) for word in rule.get("apiGroups") or ())
        and any(word in ("*", row.version) for word in rule.get("apiVersions") or ())
        and bool(names & set(rule.get("resources") or ()))
        and rule.get("scope", "*") in ("*", "Namespaced" if row.namespaced else "Cluster")
    )
