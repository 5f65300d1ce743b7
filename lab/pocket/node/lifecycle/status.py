"""The status a pod shows, from its spec and the views of its containers.

Pure. The pod worker compares the result with what it wrote last and patches only a difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.kube.objects import Object
from lab.pocket.node.lifecycle.attempts import Attempt, ContainerView, restart_delay
from lab.pocket.node.lifecycle.qos import qos_class
from lab.pocket.node.lifecycle.steps import (
    Views,
    finished,
    init_containers,
    initialized,
    is_sidecar,
    main_containers,
    restart_policy,
)


@dataclass(frozen=True)
class Failure:
    """Why a pod failed as a whole, whatever its containers do."""

    reason: str
    message: str


@dataclass(frozen=True)
class Surroundings:
    """What the status tells beside the containers: the place the pod runs in, and how it came to its end.

    `over` says that the pod was deleted and nothing of it runs any more.
    """

    host_ip: str
    pod_ip: str
    now: float
    failure: Failure | None = None
    over: bool = False


def timestamp(seconds: float) -> str:
    """Unix seconds as Kubernetes writes them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(pod: Object, views: Views, place: Surroundings) -> dict[str, Any]:
    """The complete status; transition times of unchanged conditions are kept."""
    old = pod.get("status") or {}
    status: dict[str, Any] = {
        "phase": _phase(pod, views, place),
        "hostIP": place.host_ip,
        "hostIPs": [{"ip": place.host_ip}],
        "startTime": old.get("startTime") or timestamp(place.now),
        "qosClass": qos_class(pod),
        "conditions": conditions(pod, views, place),
        "containerStatuses": [container_status(pod, c, views[c["name"]]) for c in main_containers(pod)],
    }
    if place.failure:
        status |= {"reason": place.failure.reason, "message": place.failure.message}
    if place.pod_ip:
        status |= {"podIP": place.pod_ip, "podIPs": [{"ip": place.pod_ip}]}
    if init := init_containers(pod):
        status["initContainerStatuses"] = [container_status(pod, c, views[c["name"]]) for c in init]
    return status


def _phase(pod: Object, views: Views, place: Surroundings) -> str:
    if place.failure:
        return "Failed"
    if place.over or finished(pod, views):
        last = [views[c["name"]] for c in main_containers(pod)]
        return "Succeeded" if all(view.succeeded for view in last) else "Failed"
    if not initialized(pod, views):
        return "Pending"
    return "Running" if all(views[c["name"]].attempts for c in main_containers(pod)) else "Pending"


def conditions(pod: Object, views: Views, place: Surroundings) -> list[dict[str, Any]]:
    """The kubelet's own conditions, followed by those that others keep on this pod."""
    old = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or ()}
    phase = _phase(pod, views, place)
    unready = _unready(pod, views)
    pending = [] if initialized(pod, views) else _uninitialized(pod, views)
    if phase in ("Succeeded", "Failed"):
        containers = ("False", "PodCompleted" if phase == "Succeeded" else "PodFailed", "")
    elif unready:
        containers = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        containers = ("True", "", "")
    wanted = {
        "PodReadyToStartContainers": ("True" if place.pod_ip else "False", "", ""),
        "Initialized": ("True", "", "")
        if not pending
        else (
            "False",
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(pending)}]",
        ),
        "Ready": _gated(pod, old, containers),
        "ContainersReady": containers,
        "PodScheduled": ("True", "", ""),
    }
    mine = [_condition(old.get(name), name, value, place.now) for name, value in wanted.items()]
    return mine + [condition for name, condition in old.items() if name not in wanted]


def _gated(
    pod: Object, conditions: Mapping[str, Mapping[str, Any]], containers: tuple[str, str, str]
) -> tuple[str, str, str]:
    """Ready asks for the containers and for the conditions that others must set (readinessGates)."""
    if containers[0] != "True":
        return containers
    missing = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        if kind not in conditions:
            missing.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif (seen := conditions[kind].get("status")) != "True":
            missing.append(f'the status of pod readiness gate "{kind}" is not "True", but {seen}')
    return ("False", "ReadinessGatesNotReady", ", ".join(missing)) if missing else containers


def container_status(pod: Object, spec: Mapping[str, Any], view: ContainerView) -> dict[str, Any]:
    last = view.last
    status: dict[str, Any] = {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": f"pocket://{spec.get('image', '')}" if last else "",
        "ready": _container_ready(spec, view, in_init=spec in init_containers(pod)),
        "started": view.running and view.started,
        "restartCount": last.number if last else 0,
        "state": _state(pod, spec, view),
        "lastState": _last_state(pod, spec, view),
    }
    if last:
        status["containerID"] = container_id(pod, spec["name"], last.number)
    return status


def container_id(pod: Object, container: str, attempt: int) -> str:
    return f"pocket://{pod['metadata']['uid']}/{container}/{attempt}"


def _container_ready(spec: Mapping[str, Any], view: ContainerView, *, in_init: bool) -> bool:
    if in_init and not is_sidecar(spec):
        return view.succeeded
    return view.running and view.ready


def _state(pod: Object, spec: Mapping[str, Any], view: ContainerView) -> dict[str, Any]:
    last = view.last
    if last and last.running:
        return {"running": {"startedAt": timestamp(last.started_at)}}
    if view.waiting:
        return {"waiting": {"reason": view.waiting.reason, "message": view.waiting.message}}
    if last is None:
        return {"waiting": {"reason": "PodInitializing" if init_containers(pod) else "ContainerCreating"}}
    if backs_off(pod, spec, view):
        return {"waiting": {"reason": "CrashLoopBackOff", "message": backoff_message(pod, view)}}
    return {"terminated": _terminated(last, pod, view.name)}


def backs_off(pod: Object, spec: Mapping[str, Any], view: ContainerView) -> bool:
    """The container has ended, will be restarted, and must wait for it."""
    last = view.last
    if last is None or last.running or restart_delay(view.attempts) == 0:
        return False
    policy = restart_policy(pod)
    if is_sidecar(spec):
        return True
    if spec in init_containers(pod):
        return policy != "Never" and last.exit_code != 0
    return policy == "Always" or (policy == "OnFailure" and last.exit_code != 0)


def backoff_message(pod: Object, view: ContainerView) -> str:
    meta, seconds = pod["metadata"], int(restart_delay(view.attempts))
    delay = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"
    return (
        f"back-off {delay} restarting failed container={view.name} "
        f"pod={meta['name']}_{meta['namespace']}({meta['uid']})"
    )


def _last_state(pod: Object, spec: Mapping[str, Any], view: ContainerView) -> dict[str, Any]:
    ended = [a for a in view.attempts if not a.running]
    if ended and (view.running or view.waiting or backs_off(pod, spec, view)):
        return {"terminated": _terminated(ended[-1], pod, view.name)}
    if len(ended) > 1:
        return {"terminated": _terminated(ended[-2], pod, view.name)}
    return {}


def _terminated(attempt: Attempt, pod: Object, name: str) -> dict[str, Any]:
    state = {
        "exitCode": attempt.exit_code,
        "reason": attempt.reason or ("Completed" if attempt.exit_code == 0 else "Error"),
        "startedAt": timestamp(attempt.started_at),
        "finishedAt": timestamp(attempt.finished_at or attempt.started_at),
        "containerID": container_id(pod, name, attempt.number),
    }
    return {**state, "message": attempt.message} if attempt.message else state


def _unready(pod: Object, views: Views) -> list[str]:
    sidecars = [c for c in init_containers(pod) if is_sidecar(c)]
    return [
        c["name"]
        for c in sidecars + main_containers(pod)
        if not (views[c["name"]].running and views[c["name"]].ready)
    ]


def _uninitialized(pod: Object, views: Views) -> list[str]:
    return [
        c["name"]
        for c in init_containers(pod)
        if not (
            views[c["name"]].started and views[c["name"]].running
            if is_sidecar(c)
            else views[c["name"]].succeeded
        )
    ]


def _condition(
    old: Mapping[str, Any] | None, name: str, value: tuple[str, str, str], now: float
) -> dict[str, Any]:
    status, reason, message = value
    kept = old is not None and old.get("status") == status
    changed = old["lastTransitionTime"] if old and kept and "lastTransitionTime" in old else timestamp(now)
    condition: dict[str, Any] = {"type": name, "status": status, "lastTransitionTime": changed}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition
