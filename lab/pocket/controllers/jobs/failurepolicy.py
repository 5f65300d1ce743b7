"""What a Job's `podFailurePolicy` says of a failed pod. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object, condition, name, namespace


@dataclass(frozen=True)
class Ruling:
    """`action` is Count, Ignore, FailIndex or FailJob; `message` tells why the Job fails."""

    action: str = "Count"
    message: str = ""


def ruling(job: Object, pod: Object) -> Ruling:
    """The first rule that fits decides; without one the failure counts."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        why = _by_exit_code(rule.get("onExitCodes"), pod) or _by_condition(rule.get("onPodConditions"), pod)
        if why:
            told = f"{why} matching {rule['action']} rule at index {number}"
            return Ruling(str(rule["action"]), told)
    return Ruling()


def _by_exit_code(wanted: dict[str, Any] | None, pod: Object) -> str:
    if wanted is None:
        return ""
    for container, code in _exit_codes(pod):
        if code == 0 or wanted.get("containerName") not in (None, container):
            continue
        if (code in wanted["values"]) == (wanted["operator"] == "In"):
            where = f"pod {namespace(pod)}/{name(pod)}"
            return f"Container {container} for {where} failed with exit code {code}"
    return ""


def _exit_codes(pod: Object) -> Iterator[tuple[str, int]]:
    status = pod.get("status") or {}
    for field in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(field) or ():
            if ended := (each.get("state") or {}).get("terminated"):
                yield str(each["name"]), int(ended.get("exitCode") or 0)


def _by_condition(patterns: Iterable[dict[str, Any]] | None, pod: Object) -> str:
    for pattern in patterns or ():
        seen = condition(pod, str(pattern["type"]))
        if seen is not None and seen.get("status") == pattern.get("status", "True"):
            return f"Pod {namespace(pod)}/{name(pod)} has condition {pattern['type']}"
    return ""
