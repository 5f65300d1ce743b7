"""Cells of the apps and batch tables. Pure."""

from typing import Any

from lab.pocket.apiserver.resources.model import Column

from .cells import dig, pairs, since

Object = dict[str, Any]


def _template(obj: Object) -> list[Object]:
    return dig(obj, "spec.template.spec.containers") or []


def containers(obj: Object) -> str:
    return ",".join(str(c.get("name", "")) for c in _template(obj))


def images(obj: Object) -> str:
    return ",".join(str(c.get("image", "")) for c in _template(obj))


def selector(obj: Object) -> str:
    return selector_text(dig(obj, "spec.selector"))


def selector_text(found: Object | None) -> str:
    """A metav1.LabelSelector as text; `<none>` when it selects everything."""
    found = found or {}
    texts = [pairs(found["matchLabels"])] if found.get("matchLabels") else []
    for term in found.get("matchExpressions") or []:
        operator, values = str(term.get("operator", "")), ",".join(sorted(term.get("values") or ()))
        words = {"Exists": f"{term['key']}", "DoesNotExist": f"!{term['key']}"}
        texts.append(words.get(operator, f"{term['key']} {operator.lower()} ({values})"))
    return ",".join(texts) or "<none>"


def deployment_ready(obj: Object) -> str:
    return f"{dig(obj, 'status.readyReplicas') or 0}/{dig(obj, 'spec.replicas') or 0}"


def job_status(obj: Object) -> str:
    conditions = {c.get("type") for c in dig(obj, "status.conditions") or [] if c.get("status") == "True"}
    for name in ("Complete", "Failed"):
        if name in conditions:
            return name
    if dig(obj, "metadata.deletionTimestamp"):
        return "Terminating"
    later = ("Suspended", "FailureTarget", "SuccessCriteriaMet")
    return next((name for name in later if name in conditions), "Running")


def job_completions(obj: Object) -> str:
    done, wanted = dig(obj, "status.succeeded") or 0, dig(obj, "spec.completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = dig(obj, "spec.parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def job_duration(obj: Object) -> str:
    return since(dig(obj, "status.startTime"), "", until=dig(obj, "status.completionTime"))


REPLICAS = (
    Column("Desired", lambda o: dig(o, "spec.replicas") or 0, "integer"),
    Column("Current", lambda o: dig(o, "status.replicas") or 0, "integer"),
    Column("Ready", lambda o: dig(o, "status.readyReplicas") or 0, "integer"),
)
