"""What to do next for a pod: which containers to start or stop, and when to look again.

Pure. The pod worker calls `next_steps` after every event and carries the answer out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object, parse_time
from lab.pocket.node.lifecycle.attempts import ContainerView, restart_at

Views = Mapping[str, ContainerView]


@dataclass(frozen=True)
class Steps:
    """Containers to start now, sidecars to stop now, and the time at which more falls due."""

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    wake_at: float | None = None


def init_containers(pod: Object) -> list[dict[str, Any]]:
    return list(pod["spec"].get("initContainers") or ())


def main_containers(pod: Object) -> list[dict[str, Any]]:
    return list(pod["spec"].get("containers") or ())


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """A native sidecar: an init container that is restarted for as long as the pod lives."""
    return container.get("restartPolicy") == "Always"


def initialized(pod: Object, views: Views) -> bool:
    """Every init step is done; a pod whose main containers ever ran stays initialized."""
    if any(views[c["name"]].attempts for c in main_containers(pod)):
        return True
    return all(_passed(c, views[c["name"]]) for c in init_containers(pod))


def finished(pod: Object, views: Views) -> bool:
    """No main container runs or will run again, or an init step failed for good."""
    policy = restart_policy(pod)
    if not initialized(pod, views):
        return any(_failed_for_good(c, views[c["name"]], policy) for c in init_containers(pod))
    return all(_over(views[c["name"]], policy) for c in main_containers(pod))


def restart_policy(pod: Object) -> str:
    return str(pod["spec"].get("restartPolicy") or "Always")


def deadline(pod: Object) -> float | None:
    """When a pod with activeDeadlineSeconds has been active for too long; None without one."""
    seconds, started = pod["spec"].get("activeDeadlineSeconds"), (pod.get("status") or {}).get("startTime")
    return parse_time(started).timestamp() + seconds if seconds and started else None


def next_steps(pod: Object, views: Views, now: float) -> Steps:
    """The difference between what should run and what runs."""
    if finished(pod, views):
        running = (c["name"] for c in init_containers(pod) if is_sidecar(c) and views[c["name"]].running)
        return Steps(stop=tuple(running))
    due: dict[str, float] = {}
    for name in _wanted(pod, views):
        view = views[name]
        if not view.running:
            due[name] = max(restart_at(view.attempts), view.waiting.retry_at if view.waiting else 0.0)
    later = [at for at in due.values() if at > now]
    return Steps(
        start=tuple(name for name, at in due.items() if at <= now),
        wake_at=min(later, default=None),
    )


def _wanted(pod: Object, views: Views) -> Iterator[str]:
    """Containers that should be running at this stage of the pod's life."""
    if initialized(pod, views):
        yield from (c["name"] for c in init_containers(pod) if is_sidecar(c))
        policy = restart_policy(pod)
        yield from (c["name"] for c in main_containers(pod) if not _over(views[c["name"]], policy))
        return
    for container in init_containers(pod):
        done = _passed(container, views[container["name"]])
        if is_sidecar(container) or not done:
            yield container["name"]
        if not done:
            return


def _passed(container: Mapping[str, Any], view: ContainerView) -> bool:
    if is_sidecar(container):
        return view.running and view.started
    return view.succeeded


def _over(view: ContainerView, policy: str) -> bool:
    if view.last is None or view.last.running or policy == "Always":
        return False
    return policy == "Never" or view.last.exit_code == 0


def _failed_for_good(container: Mapping[str, Any], view: ContainerView, policy: str) -> bool:
    ended_badly = view.last is not None and not view.last.running and not view.succeeded
    return policy == "Never" and ended_badly and not is_sidecar(container)
