"""Cells of the pod table; the status column follows upstream's order of reasons. Pure."""

from typing import Any

from .cells import since

Object = dict[str, Any]


def _statuses(obj: Object, field: str = "containerStatuses") -> list[Object]:
    return [s for s in (obj.get("status") or {}).get(field) or [] if isinstance(s, dict)]


def _sidecars(obj: Object) -> set[str]:
    inits = (obj.get("spec") or {}).get("initContainers") or []
    return {c["name"] for c in inits if c.get("restartPolicy") == "Always"}


def _running(obj: Object) -> list[Object]:
    """Statuses of the containers that count as the pod's: its own and its native sidecars."""
    sidecars = _sidecars(obj)
    inits = [s for s in _statuses(obj, "initContainerStatuses") if s.get("name") in sidecars]
    return [*inits, *_statuses(obj)]


def ready(obj: Object) -> str:
    total = len((obj.get("spec") or {}).get("containers") or []) + len(_sidecars(obj))
    return f"{sum(1 for s in _running(obj) if s.get('ready'))}/{total}"


def restarts(obj: Object) -> str:
    statuses = _running(obj)
    count = sum(int(s.get("restartCount") or 0) for s in statuses)
    ends = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "" for s in statuses]
    return f"{count} ({since(max(ends))} ago)" if count and any(ends) else str(count)


def status(obj: Object) -> str:
    found = obj.get("status") or {}
    reason = str(found.get("reason") or found.get("phase") or "")
    waiting = _init_reason(obj)
    reason = waiting or _container_reason(obj, reason)
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return "Unknown" if found.get("reason") == "NodeLost" else "Terminating"
    return reason


def _init_reason(obj: Object) -> str:
    sidecars = _sidecars(obj)
    inits = (obj.get("spec") or {}).get("initContainers") or []
    for index, one in enumerate(_statuses(obj, "initContainerStatuses")):
        state = one.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended and ended.get("exitCode") == 0:
            continue
        if one.get("name") in sidecars and one.get("started"):
            continue
        if ended:
            return "Init:" + (_terminated(ended))
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(inits)}"
    return ""


def _container_reason(obj: Object, reason: str) -> str:
    running = False
    for one in reversed(_statuses(obj)):
        state = one.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = str(state["waiting"]["reason"])
        elif state.get("terminated"):
            reason = _terminated(state["terminated"])
        elif one.get("ready") and state.get("running"):
            running = True
    if reason == "Completed" and running:
        conditions = (obj.get("status") or {}).get("conditions") or []
        is_ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        return "Running" if is_ready else "NotReady"
    return reason


def _terminated(state: Object) -> str:
    if state.get("reason"):
        return str(state["reason"])
    return f"Signal:{state['signal']}" if state.get("signal") else f"ExitCode:{state.get('exitCode', 0)}"


def readiness_gates(obj: Object) -> str:
    """How many of the pod's readiness gates are open."""
    gates = (obj.get("spec") or {}).get("readinessGates") or []
    conditions = (obj.get("status") or {}).get("conditions") or []
    met = {c.get("type") for c in conditions if c.get("status") == "True"}
    return f"{sum(1 for g in gates if g.get('conditionType') in met)}/{len(gates)}" if gates else "<none>"
