"""Label and field selectors: parsed once, then matched many times. Pure.

The grammar is that of the Kubernetes API (`a=b,c!=d,e in (x,y),!f`); a wrong selector raises
SelectorError with the part that does not parse.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.base.errors import UsageError

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s!=,()]*)$")
_EXISTS = re.compile(r"^(?P<not>!?)\s*(?P<key>[^\s!=,()]+)$")
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class SelectorError(UsageError):
    """A selector that does not follow the grammar."""


@dataclass(frozen=True)
class Requirement:
    """One condition on one key; `operator` is in, notin, exists or !."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        match self.operator:
            case "in":
                return present and labels[self.key] in self.values
            case "notin":
                return not present or labels[self.key] not in self.values
            case "exists":
                return present
            case _:
                return not present


@dataclass(frozen=True)
class LabelSelector:
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


NOTHING = LabelSelector((Requirement("", "in"),))


def label_selector(text: str) -> LabelSelector:
    """Parse the `labelSelector` query form."""
    return LabelSelector(tuple(_requirement(part.strip()) for part in _split(text) if part.strip()))


def from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """Read a metav1.LabelSelector; None selects nothing and {} everything, as in the API."""
    if selector is None:
        return NOTHING
    equal = [Requirement(k, "in", frozenset([v])) for k, v in (selector.get("matchLabels") or {}).items()]
    listed = [_expression(expression) for expression in selector.get("matchExpressions") or []]
    return LabelSelector((*equal, *listed))


def _expression(expression: Mapping[str, Any]) -> Requirement:
    operator = _OPERATORS.get(str(expression.get("operator")))
    if operator is None:
        raise SelectorError(f"{expression.get('operator')!r} is not a valid label selector operator")
    return Requirement(str(expression["key"]), operator, frozenset(expression.get("values") or ()))


def _split(text: str) -> list[str]:
    return re.split(r",(?![^()]*\))", text)


def _requirement(part: str) -> Requirement:
    if found := _SET.match(part):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], found["op"], values)
    if found := _EQUAL.match(part):
        operator = "notin" if found["op"] == "!=" else "in"
        return Requirement(found["key"], operator, frozenset([found["value"]]))
    if found := _EXISTS.match(part):
        return Requirement(found["key"], "!" if found["not"] else "exists")
    raise SelectorError(f"unable to parse requirement: {part!r}")


@dataclass(frozen=True)
class FieldSelector:
    """Dotted paths that must equal, or differ from, a value; a missing field reads as ""."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return all((_field(obj, path) == value) == equal for path, equal, value in self.terms)


def field_selector(text: str) -> FieldSelector:
    """Parse the `fieldSelector` query form (`metadata.name=x,spec.nodeName!=y`)."""
    terms = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        found = re.match(r"^([^!=]+)(==|!=|=)(.*)$", part)
        if not found:
            raise SelectorError(f"invalid field selector: {part!r}")
        terms.append((found[1].strip(), found[2] != "!=", found[3].strip()))
    return FieldSelector(tuple(terms))


def _field(obj: Mapping[str, Any], path: str) -> str:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
