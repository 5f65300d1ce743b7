"""What a CustomResourceDefinition's status says: accepted names, conditions and stored versions. Pure."""

from collections.abc import Sequence
from typing import Any

from lab.kube.objects import now

Object = dict[str, Any]


def accepted(crd: Object, others: Sequence[Object]) -> tuple[Object, Object]:
    """The names this definition has in its group, and the NamesAccepted condition.

    `others` are the group's other definitions; what they were given first stays theirs.
    """
    wanted = crd["spec"]["names"]
    had = (crd.get("status") or {}).get("acceptedNames") or {}
    resources, kinds = _taken(others)
    names, failure = dict(had), ("", "")
    for field, used in (("plural", resources), ("singular", resources), ("kind", kinds), ("listKind", kinds)):
        name = wanted.get(field, "")
        if name != had.get(field) and name in used:
            failure = (f"{field[0].upper()}{field[1:]}Conflict", f'"{name}" is already in use')
        else:
            names[field] = name
    short, clashes = wanted.get("shortNames") or [], []
    clashes = [name for name in short if name not in (had.get("shortNames") or []) and name in resources]
    if clashes:
        texts = [f'"{name}" is already in use' for name in clashes]
        failure = ("ShortNamesConflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    for field, value in (
        ("shortNames", names.get("shortNames") if clashes else short),
        ("categories", wanted.get("categories")),
    ):
        names.pop(field, None)
        if value:
            names[field] = value
    if failure[0]:
        return names, _condition("NamesAccepted", "False", *failure)
    return names, _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")


def _taken(others: Sequence[Object]) -> tuple[set[str], set[str]]:
    found = [(other.get("status") or {}).get("acceptedNames") or {} for other in others]
    resources = {name for n in found for name in (n.get("plural"), n.get("singular"), *_short(n)) if name}
    return resources, {name for n in found for name in (n.get("kind"), n.get("listKind")) if name}


def _short(names: Object) -> Sequence[str]:
    return names.get("shortNames") or ()


def established(crd: Object, names_accepted: bool) -> Object:
    """Once true it stays so, whatever happens to the names."""
    if names_accepted or is_true(crd, "Established"):
        text = "the initial names have been accepted"
        return _condition("Established", "True", "InitialNamesAccepted", text)
    return _condition("Established", "False", "NotAccepted", "not all names are accepted")


def terminating(left: int) -> Object:
    """`left` objects still hold the definition."""
    text = "CustomResource deletion is in progress" if left else "removed all instances"
    reason = "InstanceDeletionInProgress" if left else "InstanceDeletionCompleted"
    return _condition("Terminating", "True" if left else "False", reason, text)


def with_conditions(crd: Object, *conditions: Object) -> list[Object]:
    """The definition's conditions with these set; one that says the same keeps its time."""
    found = {c.get("type"): c for c in (crd.get("status") or {}).get("conditions") or []}
    for new in conditions:
        old = found.get(new["type"])
        if old is None or any(old.get(k) != new[k] for k in ("status", "reason", "message")):
            same_status = old is not None and old.get("status") == new["status"]
            found[new["type"]] = {**new, **({"lastTransitionTime": _time(old)} if same_status else {})}
    return list(found.values())


def _time(condition: Object | None) -> str:
    return str((condition or {}).get("lastTransitionTime") or now())


def is_true(crd: Object, kind: str) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def stored_versions(crd: Object) -> list[str]:
    before = (crd.get("status") or {}).get("storedVersions") or []
    storage = [v["name"] for v in crd["spec"]["versions"] if v.get("storage")]
    return [*before, *(name for name in storage if name not in before)]


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}
