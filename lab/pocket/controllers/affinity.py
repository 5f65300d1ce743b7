"""Whether a pod may be on a node: `nodeSelector`, required node affinity, and taints. Pure."""

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


def tolerates(pod_spec: dict[str, Any], taint: dict[str, str]) -> bool:
    """Whether a pod may be on a node with this taint."""
    return bool(tolerations_of(pod_spec, taint))


def tolerations_of(pod_spec: dict[str, Any], taint: dict[str, str]) -> list[dict[str, Any]]:
    """The tolerations of a pod that this taint meets."""
    return [each for each in pod_spec.get("tolerations") or () if _meets(each, taint)]


def _meets(toleration: dict[str, Any], taint: dict[str, str]) -> bool:
    same_key = not toleration.get("key") or toleration["key"] == taint["key"]
    same_value = toleration.get("value", "") == taint.get("value", "")
    same_effect = toleration.get("effect") in (None, "", taint["effect"])
    return same_key and same_effect and (toleration.get("operator") == "Exists" or same_value)


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
