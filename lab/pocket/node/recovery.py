"""Where a pod's containers stand when a worker takes them over: after a node or lab restart.

What the runtime still has is adopted. When it has nothing, the sandbox was lost: init steps run again,
restart counts go on, and what had ended for good stays ended.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from lab.kube.objects import Object, parse_time
from lab.pocket.node.lifecycle.attempts import Attempt
from lab.pocket.node.lifecycle.steps import main_containers, restart_policy
from lab.pocket.node.runtime import ContainerState
from lab.pocket.node.tracked import Tracked

LOST = 137
"""The exit code of a container whose end nobody saw."""


def recover(pod: Object, containers: Mapping[str, Tracked], known: Iterable[ContainerState], ip: str) -> None:
    """Fill in attempts; probe what is running."""
    states = sorted(known, key=lambda state: int(state.id.rsplit("/", 1)[1]))
    latest = {}
    for state in states:
        container = state.id.split("/")[1]
        if container in containers:
            containers[container].adopt(state)
            latest[container] = state
    for container, state in latest.items():
        containers[container].begin(state, ip)
    if not states:
        _from_status(pod, containers)


def _from_status(pod: Object, containers: Mapping[str, Tracked]) -> None:
    status = pod.get("status") or {}
    final = {c["name"] for c in main_containers(pod)} if restart_policy(pod) != "Always" else set()
    for seen in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        tracked = containers.get(seen["name"])
        attempt = _last_attempt(seen)
        if tracked is None or attempt is None:
            continue
        tracked.next_number = attempt.number + 1
        if seen["name"] in final:
            tracked.attempts.append(attempt)
            tracked.ended.set()


def _last_attempt(seen: Mapping[str, Any]) -> Attempt | None:
    number = int(seen.get("restartCount") or 0)
    state = seen.get("state") or {}
    if ended := state.get("terminated"):
        return Attempt(
            number,
            _seconds(ended, "startedAt"),
            int(ended["exitCode"]),
            _seconds(ended, "finishedAt"),
            ended.get("reason", ""),
            ended.get("message", ""),
        )
    if running := state.get("running"):
        return Attempt(number, _seconds(running, "startedAt"), LOST, time.time())
    if (seen.get("lastState") or {}).get("terminated"):
        return Attempt(number, 0.0, LOST, time.time())
    return None


def _seconds(state: Mapping[str, Any], field: str) -> float:
    return parse_time(state[field]).timestamp() if state.get(field) else 0.0
