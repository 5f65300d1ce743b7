"""x-kubernetes-validations: the CEL rules of a schema, checked with it and run on every write. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.pocket.apiserver.cel.program import BudgetExceeded, CelError, Program, compile_expression
from lab.pocket.apiserver.errors import Cause

from .correlate import ABSENT, child, same
from .values import cel_type, cel_value

Schema = dict[str, Any]

RULES = "x-kubernetes-validations"
_NEEDS_OLD = re.compile(r"undeclared reference to 'oldSelf\b")
_OPTIONAL = "cel.bind(oldSelf, old__ == [] ? optional.none() : optional.of(old__[0]), ({}))"
"""Makes `oldSelf` the optional that `optionalOldSelf` promises; old__ is a list of none or one."""


@dataclass(frozen=True)
class Rule:
    raw: dict[str, Any]
    program: Program
    uses_old: bool
    message: Program | None

    def text(self) -> str:
        """What names the rule in an error: its message, or the rule itself."""
        return str(self.raw.get("message") or self.raw["rule"]).strip()


def compile_rule(raw: dict[str, Any], schema: Schema) -> Rule:
    """Raises CelError with upstream's text for a rule that is no boolean expression over `self`."""
    program, uses_old = _program(str(raw["rule"]), raw, schema)
    if program.returns not in ("BOOL", "DYN"):
        raise CelError("cel expression must evaluate to a bool")
    return Rule(raw, program, uses_old, _message(raw, schema))


def _message(raw: dict[str, Any], schema: Schema) -> Program | None:
    if not raw.get("messageExpression"):
        return None
    try:
        program, _ = _program(str(raw["messageExpression"]), raw, schema)
    except CelError as error:
        raise CelError(f"messageExpression {error}") from error
    if program.returns not in ("STRING", "DYN"):
        raise CelError("messageExpression must evaluate to a string")
    return program


def _program(text: str, raw: dict[str, Any], schema: Schema) -> tuple[Program, bool]:
    kind = cel_type(schema)
    try:
        return compile_expression(text, (("self", kind),)), False
    except CelError as error:
        if not _NEEDS_OLD.search(str(error)):
            raise CelError(f"compilation failed: {error}") from error
    try:
        if raw.get("optionalOldSelf"):
            return compile_expression(_OPTIONAL.format(text), (("self", kind), ("old__", "list<dyn>"))), True
        return compile_expression(text, (("self", kind), ("oldSelf", kind))), True
    except CelError as error:
        raise CelError(f"compilation failed: {error}") from error


@dataclass(frozen=True)
class Node:
    """The rules of one schema node and, by their place, of the nodes below it."""

    schema: Schema
    rules: tuple[Rule, ...]
    properties: dict[str, "Node"]
    extra: "Node | None"
    items: "Node | None"
    every: tuple["Node", ...]
    """The branches of allOf."""


def has_rules(schema: Any) -> bool:
    """Whether any node of a schema has a rule; cheap, so that CEL is loaded only where one does."""
    if isinstance(schema, dict):
        return RULES in schema or any(has_rules(inner) for inner in schema.values())
    return isinstance(schema, list) and any(has_rules(inner) for inner in schema)


def compile_rules(schema: Schema) -> Node | None:
    """None where neither the node nor anything below it has rules. Raises CelError."""
    if not has_rules(schema):
        return None
    properties = {
        name: node
        for name, inner in (schema.get("properties") or {}).items()
        if (node := compile_rules(inner)) is not None
    }
    extra, items = schema.get("additionalProperties"), schema.get("items")
    return Node(
        schema,
        tuple(compile_rule(raw, schema) for raw in schema.get(RULES) or ()),
        properties,
        compile_rules(extra) if isinstance(extra, dict) else None,
        compile_rules(items) if isinstance(items, dict) else None,
        tuple(node for inner in schema.get("allOf") or () if (node := compile_rules(inner)) is not None),
    )


def check(node: Node, value: Any, path: str, old: Any = ABSENT) -> Iterator[Cause]:
    """What the rules say about `value`; rules over `oldSelf` only run where there is an old value."""
    if value is None:
        return
    if node.rules:
        yield from _check_rules(node, value, path, old)
    for branch in node.every:
        yield from check(branch, value, path)
    if isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            yield from check(node.items, item, f"{path}[{index}]", child(old, item, node.schema))
    elif isinstance(value, dict):
        known = node.schema.get("properties") or {}
        for name, inner in value.items():
            if name in node.properties:
                at = f"{path}.{name}" if path else name
                yield from check(node.properties[name], inner, at, child(old, name))
            elif node.extra is not None and name not in known:
                yield from check(node.extra, inner, f"{path}[{name}]", child(old, name))


def _check_rules(node: Node, value: Any, path: str, old: Any) -> Iterator[Cause]:
    kind = str(node.schema.get("type", ""))
    self = cel_value(value, node.schema)
    before = [] if old is ABSENT or old is None else [cel_value(old, node.schema)]
    unchanged = old is not ABSENT and same(value, old)
    values = {"self": self, "old__": before, **({"oldSelf": before[0]} if before else {})}
    for rule in node.rules:
        if rule.uses_old and not before and not rule.raw.get("optionalOldSelf"):
            continue
        try:
            good = rule.program.evaluate(values)
        except BudgetExceeded as error:
            text = f"'operation cancelled: {error}': no further validation rules will be run due to call cost"
            yield _invalid(path, kind, f"{text} exceeds limit for rule: {rule.text()}")
            return
        except CelError as error:
            yield _invalid(path, kind, f"{error} evaluating rule: {rule.text()}")
            continue
        if good is not True and (rule.uses_old or not unchanged):
            yield _broken(rule, values, path, kind)


def _invalid(path: str, kind: str, text: str) -> Cause:
    return Cause(path or "<nil>", f'Invalid value: "{kind}": {text}')


def _broken(rule: Rule, values: dict[str, Any], path: str, kind: str) -> Cause:
    path += str(rule.raw.get("fieldPath") or "") if path else str(rule.raw.get("fieldPath") or "").lstrip(".")
    text = _own_message(rule, values) or rule.raw.get("message") or f"failed rule: {rule.text()}"
    match rule.raw.get("reason"):
        case "FieldValueForbidden":
            return Cause(path, f"Forbidden: {text}", "FieldValueForbidden")
        case "FieldValueRequired":
            return Cause(path, f"Required value: {text}", "FieldValueRequired")
        case "FieldValueDuplicate":
            return Cause(path, f'Duplicate value: "{kind}"', "FieldValueDuplicate")
        case _:
            return _invalid(path, kind, str(text).strip())


def _own_message(rule: Rule, values: dict[str, Any]) -> str:
    """What messageExpression says; nothing where it fails or says nothing, and then `message` counts."""
    if rule.message is None:
        return ""
    try:
        found = rule.message.evaluate(values)
    except CelError:
        return ""
    usable = isinstance(found, str) and not re.search(r"[\r\n]", found)
    return found.strip() if usable else ""
