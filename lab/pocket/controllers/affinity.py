"""Whether a node is one that a pod asks for: `nodeSelector` and required node affinity. Pure."""

from typing import Any

from lab.kube.objects import Object, labels, name


def is_wanted(pod_spec: dict[str, Any], node: Object) -> bool:
    """As upstream: any of the required terms, and all of `nodeSelector`."""
    wanted = pod_spec.get("nodeSelector") or {}
    if any(labels(node).get(label) != value for label, value in wanted.items()):
        return False
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term(term: dict[str, Any], node: Object) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False  # an empty term selects nothing
    named = {"metadata.name": name(node)}
    return all(_holds(e, labels(node)) for e in expressions) and all(_holds(f, named) for f in fields)


def _holds(requirement: dict[str, Any], values: dict[str, str]) -> bool:
    seen, listed = values.get(requirement["key"]), requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return seen in listed
        case "NotIn":
            return seen not in listed
        case "Exists":
            return seen is not None
        case "DoesNotExist":
            return seen is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, seen, listed)
    return False


def _compares(operator: str, seen: str | None, listed: list[str]) -> bool:
    try:
        left, right = int(seen or ""), int(listed[0])
    except (ValueError, IndexError):
        return False  # as upstream: what is no number fits no bound
    return left > right if operator == "Gt" else left < right
