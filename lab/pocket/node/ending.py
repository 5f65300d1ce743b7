"""The end of a pod: its grace period, its containers stopped in order, its object removed from the server.

Called by the pod worker. One container's graceful stop is in `stopping`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import PODS
from lab.kube.objects import Object, name, namespace, uid
from lab.pocket.node.lifecycle.steps import init_containers, is_sidecar
from lab.pocket.node.stopping import stop
from lab.pocket.node.tracked import Tracked

log = get_logger(__name__)
DEFAULT_GRACE = 30
SIDECAR_GRACE = 2.0
"""Seconds a sidecar has at least, even when the main containers used up the pod's grace period."""


def grace_of(pod: Object) -> float:
    """The grace period of a pod that is being deleted."""
    seconds = pod["metadata"].get("deletionGracePeriodSeconds")
    return float(DEFAULT_GRACE if seconds is None else seconds)


def begin_stop(pod: Object, tracked: Tracked, why: str, grace: float | None = None) -> None:
    """Start to stop one container of a pod that lives on; once at a time."""
    if tracked.stopping is None or tracked.stopping.done():
        own = pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        tracked.stopping = asyncio.create_task(stop(tracked, own if grace is None else grace, why))


def hurry(containers: Mapping[str, Tracked], grace: float) -> None:
    """A second delete with a shorter grace period: what still runs then is killed."""
    for tracked in containers.values():
        if tracked.view().running:
            tracked.hurried = asyncio.create_task(stop(tracked, grace, f"Stopping container {tracked.name}"))


async def stop_all(pod: Object, containers: Mapping[str, Tracked], grace: float) -> None:
    """Stop main containers, then sidecars in reverse order."""
    deadline = time.time() + grace
    sidecars = [c["name"] for c in init_containers(pod) if is_sidecar(c)]
    first = [tracked for n, tracked in containers.items() if n not in sidecars]
    await asyncio.gather(*(stop(t, grace, f"Stopping container {t.name}") for t in first))
    for sidecar in reversed(sidecars):
        left = max(deadline - time.time(), min(grace, SIDECAR_GRACE))
        await stop(containers[sidecar], left, f"Stopping container {sidecar}")


async def delete_object(client: Client, pod: Object, is_gone: Callable[[], bool]) -> None:
    """Tell the server that nothing of the pod runs any more, until it knows."""
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid(pod)}}
    backoff = Backoff(0.1, 5.0)
    while not is_gone():
        try:
            await client.delete(PODS, name(pod), namespace(pod), **options)
            return
        except NotFound:
            return
        except LabError as error:
            log.warning("pod not deleted yet", pod=name(pod), error=error)
            await backoff.pause()
