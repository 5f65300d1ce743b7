"""Cells of the apps and batch tables. Pure."""

from datetime import UTC, datetime
from typing import Any

from lab.kube.objects import parse_time

from .cells import dig, human_duration, pairs

Object = dict[str, Any]


def _template(obj: Object) -> list[Object]:
    return dig(obj, "spec.template.spec.containers") or []


def containers(obj: Object) -> str:
    return ",".join(str(c.get("name", "")) for c in _template(obj))


def images(obj: Object) -> str:
    return ",".join(str(c.get("image", "")) for c in _template(obj))


def selector(obj: Object) -> str:
    found = dig(obj, "spec.selector") or {}
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
    for name, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if name in conditions:
            return shown
    return "Terminating" if dig(obj, "metadata.deletionTimestamp") else "Running"


def job_completions(obj: Object) -> str:
    return f"{dig(obj, 'status.succeeded') or 0}/{dig(obj, 'spec.completions') or 1}"


def job_duration(obj: Object) -> str:
    start, end = dig(obj, "status.startTime"), dig(obj, "status.completionTime")
    if not start:
        return ""
    until = parse_time(end) if end else datetime.now(UTC)
    return human_duration((until - parse_time(start)).total_seconds())
