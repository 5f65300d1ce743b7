"""Waits until the Deployments of a namespace run, and says what keeps them if they do not."""

from lab.base.errors import LabError, TimedOut
from lab.base.wait import until
from lab.kube.client import Client
from lab.kube.kinds import DEPLOYMENTS, PODS
from lab.kube.objects import Object, is_condition_true, is_pod_ready, name, spec, status

READY_SECONDS = 300.0
"""Pulling Linkerd's images is most of it."""


async def wait_ready(client: Client, namespace: str, where: str, line: str) -> None:
    """Raises TimedOut with the reason of each pod that is not ready."""

    async def all_ready() -> bool:
        found = await client.list(DEPLOYMENTS, namespace)
        if waiting := [name(one) for one in found if not is_available(one)]:
            raise LabError(f"{', '.join(waiting)} not available")
        return bool(found)

    what = f"{where}: every Deployment in {namespace} is available"
    try:
        await until(all_ready, timeout=READY_SECONDS, every=0.2, what=what)
    except TimedOut as error:
        reasons = [one for pod in await client.list(PODS, namespace) if (one := why_not_ready(pod))]
        listed = "".join(f"\n  {reason}" for reason in reasons)
        raise TimedOut(f"{error}{listed}", remedy=f"see for yourself: {line}") from error


def is_available(deployment: Object) -> bool:
    """Whether all its pods of the newest revision are ready."""
    seen = status(deployment)
    wanted = int(spec(deployment).get("replicas", 1))
    is_current = int(seen.get("observedGeneration") or 0) >= int(
        deployment["metadata"].get("generation") or 0
    )
    updated, ready = int(seen.get("updatedReplicas") or 0), int(seen.get("readyReplicas") or 0)
    return is_current and updated >= wanted and ready >= wanted and int(seen.get("replicas") or 0) == wanted


def why_not_ready(pod: Object) -> str:
    """The pod's name and what keeps it, empty for one that is ready."""
    if is_pod_ready(pod):
        return ""
    seen = status(pod)
    for part in (seen.get("initContainerStatuses") or []) + (seen.get("containerStatuses") or []):
        state = part.get("state") or {}
        held = state.get("waiting") or {}
        if held.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"pod {name(pod)}, container {part['name']}: {held['reason']}: {held.get('message', '')}"
    for condition in seen.get("conditions") or []:
        if condition.get("message") and not is_condition_true(pod, condition["type"]):
            return f"pod {name(pod)}: {condition['message']}"
    return f"pod {name(pod)}: {seen.get('phase') or 'not scheduled yet'}"
